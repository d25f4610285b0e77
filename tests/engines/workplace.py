"""An engine with a checkout and a program that prints what a real one printed."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from snapshot.runner.agent.command import Runner
from snapshot.runner.agent.engine import AgentResult, Engine, EngineContext, make_engine
from snapshot.runner.agent.usage import Meter
from snapshot.runner.configuration import AgentChoice, ModelAccess
from snapshot.runner.network.client import PLAIN
from snapshot.runner.reporting.events import Log as LogEvent
from snapshot.runner.reporting.events import Usage
from snapshot.runner.reporting.log import Log
from snapshot.runner.reporting.redaction import Redaction
from snapshot.runner.stop import Stop
from snapshot.runner.time_budget import Budget
from snapshot.runner.variables import Secret
from tests.snapshot.patience import PATIENCE_SECONDS

RECORDED: Final = Path(__file__).resolve().parent / "recorded"
PROGRAMS: Final = {"claude-code": "claude", "codex": "codex", "opencode": "opencode"}
MODELS: Final = {
    "claude-code": ("anthropic", "claude-sonnet-4-5"),
    "codex": ("openai", "gpt-5"),
    "opencode": ("openai", "gpt-5"),
}
KEY: Final = "sk-of-the-task"
BEFORE: Final = """\
#!/bin/bash
cat >> "$HOME/prompts"
printf '%s\\n' "$@" >> "$HOME/arguments"
env > "$HOME/environ"
"""


@dataclass
class Workplace:
    """Everything that an engine needs."""

    root: Path
    engine: str
    usage: list[Usage] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    chunks: list[str] = field(default_factory=list)
    seconds: float = PATIENCE_SECONDS
    base_url: str | None = None
    """Of the model's provider."""

    def __post_init__(self) -> None:
        for name in ("checkout", "home", "tmp", "state", "programs"):
            (self.root / name).mkdir()
        self.home = self.root / "home"
        self.stop = Stop()

    def program(self, script: str) -> None:
        """Let a bash script be the engine's program."""
        file = self.root / "programs" / PROGRAMS[self.engine]
        file.write_text(BEFORE + script)
        file.chmod(0o755)

    def prints(self, *names: str, then: str = "") -> None:
        """Let it print recorded lines."""
        self.program("".join(f"cat '{RECORDED / name}.jsonl'\n" for name in names) + then)

    def made(self, **choice: object) -> Engine:
        """The engine, made like that of a task."""
        provider, name = MODELS[self.engine]
        model = ModelAccess(provider=provider, name=name, key=Secret(KEY), base_url=self.base_url)
        wanted = {"engine": self.engine, "effort": "low", **choice}
        agent = AgentChoice(**wanted)  # type: ignore[arg-type]
        return make_engine(agent, model, self.context)

    def work(self, **choice: object) -> AgentResult:
        """The result of one run of it."""
        return self.made(**choice).work("Mend it\n--help", self.root / "checkout")

    @property
    def context(self) -> EngineContext:
        """Of the engine."""
        path = f"{self.root / 'programs'}:{os.environ['PATH']}"
        return EngineContext(
            stop=self.stop,
            runner=Runner(self.stop),
            environ={"PATH": path, "HOME": str(self.home), "TMPDIR": str(self.root / "tmp")},
            budget=Budget(run_seconds=self.seconds, began_at=time.time()),
            log=Log(self._logged, Redaction.from_environ({})),
            meter=Meter(self.usage.append),
            on_turn=self.turns.append,
            trajectory=self.root / "state" / "trajectory.json",
            network=PLAIN,
        )

    def _logged(self, event: LogEvent) -> None:
        self.chunks.append(event.chunk)

    @property
    def log(self) -> str:
        """All that was logged."""
        return "".join(self.chunks)

    @property
    def arguments(self) -> Sequence[str]:
        """Of all runs of the program."""
        return (self.home / "arguments").read_text().splitlines()

    @property
    def session(self) -> str:
        """The file that is kept of the session."""
        return (self.root / "state" / "session.jsonl").read_text()
