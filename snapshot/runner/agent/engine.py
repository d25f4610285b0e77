"""Makes the engine the task asks for, and imports no SDK but the one it needs."""

import os
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..budget import Budget
from ..configuration import AgentChoice, ModelAccess
from ..failure import Failure
from ..network.client import Network
from ..reporting.log import Log
from ..stop import Stop
from .chat import CALL_SECONDS, Chat, Reply
from .command import Runner
from .command_engine import CommandEngine
from .meter import Meter
from .report import Engine

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineContext:
    """What either engine needs of us."""

    stop: Stop
    runner: Runner
    environ: Mapping[str, str]
    budget: Budget
    log: Log
    meter: Meter
    on_turn: Callable[[int], None]
    trajectory: Path
    network: Network


def engine(choice: AgentChoice, model: ModelAccess | None, place: EngineContext) -> Engine:
    """The engine of this task."""
    if choice.engine == "command" and choice.command:
        return CommandEngine(
            argv=choice.command,
            runner=place.runner,
            environ=place.environ,
            model=model,
            budget=place.budget,
            log=place.log,
        )
    assert model is not None, "the configuration refuses engine mini without a model"  # noqa: S101
    return _mini(choice, model, place)


def _mini(choice: AgentChoice, model: ModelAccess, place: EngineContext) -> Engine:
    _quiet_minisweagent(place.trajectory.parent)
    from .mini import MiniEngine, WatchedAgent  # noqa: PLC0415 - half a second, for this engine
    from .mini_environment import MiniEnvironment  # noqa: PLC0415
    from .mini_model import MiniModel  # noqa: PLC0415

    chat = _chat(model, place.network)
    # An earlier start of this attempt has spent its part; 0 would mean "no limit" to the loop.
    turns = max(1, choice.max_turns - place.meter.total.turns)
    dollars = max(0.0001, choice.max_cost_usd - place.meter.total.cost_usd)

    def make_agent(checkout: Path) -> WatchedAgent:
        workdir = MiniEnvironment(
            runner=place.runner,
            checkout=checkout,
            environ=place.environ,
            budget=place.budget,
            log=place.log,
        )
        return WatchedAgent(
            MiniModel(chat, place.meter, lambda call: _in_time(call, place)),
            workdir,
            on_turn=place.on_turn,
            on_message=lambda text: place.log.write(f"\n{text}\n"),
            max_turns=turns,
            max_cost_usd=dollars,
            seconds=place.budget.agent_seconds,
            trajectory=place.trajectory,
        )

    return MiniEngine(make_agent, max_turns=turns, max_cost_usd=choice.max_cost_usd)


def _chat(model: ModelAccess, network: Network) -> Chat:
    if model.provider == "anthropic":
        from .anthropic_chat import AnthropicChat  # noqa: PLC0415 - seconds, for this provider

        return AnthropicChat(model, network=network)
    from .openai_chat import OpenAIChat  # noqa: PLC0415 - a second, for these providers

    return OpenAIChat(model, network=network)


def _quiet_minisweagent(directory: Path) -> None:
    """Its import greets, makes a directory and reads a .env there: a new one, so it is empty."""
    os.environ["MSWEA_SILENT_STARTUP"] = "1"
    os.environ["MSWEA_GLOBAL_CONFIG_DIR"] = tempfile.mkdtemp(prefix="work-mini-", dir=directory)


def _in_time(call: Callable[[], Reply], place: EngineContext) -> Reply:
    """One call of the model; what is left of the attempt's time belongs to the steps after it."""
    return interruptible(call, place.stop, seconds=min(CALL_SECONDS, place.budget.agent_seconds))


def interruptible(call: Callable[[], T], stop: Stop, *, seconds: float) -> T:
    """Wait for a call that cannot be interrupted, but no longer than so many seconds, or than
    until the stop signal; the call is then left to itself and to the process's end.

    Raises:
        Stopped: the attempt was stopped.
        Failure: `model_unreachable`.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []
    is_over = threading.Event()

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as exc:  # noqa: BLE001 - carried to the waiting thread whole
            failure.append(exc)
        finally:
            is_over.set()

    threading.Thread(target=run, daemon=True, name="model").start()
    if not stop.until(is_over.wait, seconds=seconds):
        message = f"the model's provider did not answer within {seconds:.0f} s"
        raise Failure("model_unreachable", message, retryable=True)
    if failure:
        raise failure[0]
    return outcome[0]
