"""The engine that the task asks for; of the SDKs only the needed one is imported."""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec

from ..configuration import AgentChoice, ModelAccess
from ..failure import Failure
from ..network import hosts
from ..network.client import Network
from ..reporting.log import Log
from ..stop import Stop
from ..time_budget import Budget
from . import limits
from .chat import CALL_SECONDS, Chat, Reply
from .command import Runner
from .usage import Meter

OPENAI_HOST: Final = "api.openai.com"
T = TypeVar("T")


class AgentResult(msgspec.Struct, frozen=True, kw_only=True):
    """The end of an agent, whose changes are in the checkout."""

    summary: str
    """The agent's own last words; untrusted text."""
    failure: Failure | None = None
    """None: the agent said that it was done."""
    warnings: tuple[str, ...] = ()
    """Sentences for the task: a cost that is not known."""


class Engine(Protocol):
    """Works on a checkout until it is done, stuck, or out of its limits.

    It is called again for a repair, with a prompt that says all, and goes on with its own history
    if it has one; its limits are for all calls.
    """

    def work(self, prompt: str, checkout: Path) -> AgentResult:
        """Do the task; raises `Stopped` if the attempt was stopped."""


class EngineContext(msgspec.Struct, frozen=True, kw_only=True):
    stop: Stop
    runner: Runner
    environ: Mapping[str, str]
    budget: Budget
    log: Log
    meter: Meter
    on_turn: Callable[[int], None]
    trajectory: Path
    network: Network


def make_engine(choice: AgentChoice, model: ModelAccess | None, context: EngineContext) -> Engine:
    if choice.engine == "command" and choice.command:
        from .command_engine import CommandEngine  # noqa: PLC0415 - it imports this module

        return CommandEngine(choice.command, model, context)
    assert model is not None, "the configuration refuses other engines without a model"  # noqa: S101
    if choice.engine == "mini":
        return _mini(choice, model, context)
    from .programs.factory import make_program_engine  # noqa: PLC0415 - it imports this module

    return make_program_engine(choice, model, context)


def _mini(choice: AgentChoice, model: ModelAccess, context: EngineContext) -> Engine:
    # The import of mini-swe-agent greets, and reads a .env of this directory: a new one has none.
    directory = context.trajectory.parent
    os.environ["MSWEA_SILENT_STARTUP"] = "1"
    os.environ["MSWEA_GLOBAL_CONFIG_DIR"] = tempfile.mkdtemp(prefix="work-mini-", dir=directory)
    from .mini import MiniEngine  # noqa: PLC0415 - half a second, for this engine
    from .mini_model import MiniModel, Waits  # noqa: PLC0415
    from .prices import Prices  # noqa: PLC0415 - a big table, for this engine

    def in_time(call: Callable[[], Reply]) -> Reply:
        # The rest of the attempt's time belongs to the steps after the agent.
        seconds = min(CALL_SECONDS, context.budget.agent_seconds)
        try:
            return context.stop.call(call, seconds=seconds)
        except TimeoutError as exc:
            message = f"the model's provider did not answer within {seconds:.0f} s"
            raise Failure("model_unreachable", message, retryable=True) from exc

    prices = Prices(model)
    limits.check_bound(choice, is_priced=prices.is_known)
    if not prices.is_known:
        context.log.write(f"{limits.UNPRICED}\n")
    waits = Waits(
        call=in_time,
        sleep=context.stop.sleep,
        seconds_left=lambda: context.budget.agent_seconds,
        log=context.log.write,
    )
    model_side = MiniModel(
        _chat(model, choice.effort, context),
        context.meter,
        waits,
        prices,
    )
    return MiniEngine(choice, model_side, context)


def _chat(model: ModelAccess, effort: str | None, context: EngineContext) -> Chat:
    network, log = context.network, context.log.write
    if model.provider == "anthropic":
        from .anthropic_chat import AnthropicChat  # noqa: PLC0415 - seconds, for this provider

        return AnthropicChat(model, effort=effort, network=network, log=log)
    if has_responses(model):
        from .responses_chat import ResponsesChat  # noqa: PLC0415 - a second, as the next one

        return ResponsesChat(model, effort=effort, network=network, log=log)
    from .openai_chat import OpenAIChat  # noqa: PLC0415

    return OpenAIChat(model, effort=effort, network=network, log=log)


def has_responses(model: ModelAccess) -> bool:
    """True for OpenAI's own models: other servers of its protocol mostly have chat completions."""
    if model.api is not None:
        return model.api == "responses"
    is_theirs = model.base_url is None or hosts.netloc(model.base_url) == OPENAI_HOST
    return model.provider == "openai" and is_theirs
