"""The engine `mini` in this process: a real loop, real clients, commands run by plain bash."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec

from snapshot.runner.agent.command import CommandResult, Runner
from snapshot.runner.agent.engine import AgentResult, EngineContext, make_engine
from snapshot.runner.agent.usage import Meter
from snapshot.runner.configuration import AgentChoice, ModelAccess
from snapshot.runner.failure import Failure
from snapshot.runner.network.client import PLAIN
from snapshot.runner.reporting.events import Usage
from snapshot.runner.reporting.log import Log
from snapshot.runner.reporting.redaction import Redaction
from snapshot.runner.stop import Stop
from snapshot.runner.time_budget import Budget
from snapshot.runner.variables import Secret
from tests.snapshot.provider_stub import ProviderStub

NAMES = {"anthropic": "claude-sonnet-4-5", "google": "gemini-3-pro-preview"}
KEY = "sk-a-secret-key-of-ours"


class BashRunner:
    """Runs commands without confinement and reaper, which cost more than all else here."""

    def run(
        self,
        argv: Sequence[str],
        *,
        directory: Path,
        environ: Mapping[str, str],
        seconds: float,
        stdin: bytes = b"",
        on_output: Callable[[bytes], None] | None = None,
    ) -> CommandResult:
        """Run to the end."""
        done = subprocess.run(
            argv,
            cwd=directory,
            env=dict(environ),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return CommandResult(
            exit_code=done.returncode,
            output=done.stdout.decode(errors="replace"),
            output_digest="",
            seconds=0.1,
            is_timed_out=False,
        )


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that is left of an agent."""

    result: AgentResult
    log: str
    usage: Usage
    directory: Path

    @property
    def code(self) -> str | None:
        """The code of its end; None if it was done."""
        return self.result.failure.code if self.result.failure else None

    @property
    def words(self) -> str:
        """The message of its end."""
        return self.result.failure.message if self.result.failure else ""


class QuickStop(Stop):
    """Waits for no pause between two asks."""

    def sleep(self, seconds: float) -> None:
        """Only look for a stop."""
        self.check()


def access(stub: ProviderStub, **changes: object) -> ModelAccess:
    """The stub as the model of a task."""
    provider = str(changes.pop("provider", "openai"))
    base_url = stub.http.url if provider == "anthropic" else stub.base_url
    name = NAMES.get(provider, "gpt-5")
    model = ModelAccess(provider=provider, name=name, key=Secret(KEY), base_url=base_url)
    return msgspec.structs.replace(model, **changes)


def run(
    model: ModelAccess,
    root: Path,
    *,
    choice: AgentChoice | None = None,
    seconds: float = 600,
    before: Usage | None = None,
    prompts: Sequence[str] = ("Do it.",),
) -> Run:
    """Let the model work in an empty checkout, once for each prompt."""
    checkout = root / "checkout"
    checkout.mkdir()
    chunks: list[str] = []
    log = Log(lambda event: chunks.append(event.chunk), Redaction([KEY]))
    meter = Meter(lambda usage: None, before)
    context = EngineContext(
        stop=QuickStop(),
        runner=cast("Runner", BashRunner()),
        environ={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        budget=Budget(run_seconds=seconds, began_at=time.time()),
        log=log,
        meter=meter,
        on_turn=lambda turn: None,
        trajectory=root / "trajectory.json",
        network=PLAIN,
    )
    try:
        engine = make_engine(choice or AgentChoice(), model, context)
        result = [engine.work(prompt, checkout) for prompt in prompts][-1]
    except Failure as failure:
        result = AgentResult(summary="", failure=failure)
    log.flush()
    return Run(result=result, log="".join(chunks), usage=meter.total, directory=checkout)
