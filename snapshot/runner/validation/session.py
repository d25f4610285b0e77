"""A checkout that was set up, in which checks run one after another."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..agent.command import CommandResult, Runner
from ..reporting.events import Receipt, Status
from ..text import printable
from ..truncation import last_of
from . import reports, results, scripts, tools
from .folder import Folder
from .plan import Argv, Command, Host, Plan
from .verdict import Evidence, Verdict, judge

TAIL_CHARACTERS: Final = 4_000
ASK_SECONDS: Final = 20.0


@dataclass(kw_only=True, slots=True)
class Session:
    runner: Runner
    checkout: Path
    environ: dict[str, str]
    """With the plan's variables."""
    plan: Plan
    seconds_left: Callable[[], float]
    _done: dict[Command, Receipt] = field(default_factory=dict)
    _scripts: dict[Command, str | None] = field(default_factory=dict)

    @property
    def host(self) -> Host:
        return Host(home=Path(self.environ["HOME"]), path=self.environ["PATH"])

    def set_up(
        self, steps: Sequence[Command], on_receipt: Callable[[Receipt], None]
    ) -> Receipt | None:
        """Run each step once; returns the receipt of the first that did not pass."""
        for step in steps:
            if step not in self._done:
                self._done[step] = self.step(step)
                on_receipt(self._done[step])
            if self._done[step].status != "passed":
                return self._done[step]
        return None

    def step(self, step: Command) -> Receipt:
        """Run one step of a set-up: its exit code says all."""
        if reason := self.reason_against(step):
            return self.skipped(step, reason)
        result = self._run(step)
        if result.is_timed_out:
            return self._receipt(
                step, result, ("timed_out", f"stopped after {result.seconds:.0f} s")
            )
        status: Status = "failed" if result.exit_code else "passed"
        return self._receipt(step, result, (status, ""))

    def check(self, command: Command) -> Receipt:
        """Run a check, and judge it."""
        if reason := self.reason_against(command):
            return self.skipped(command, reason)
        script = self.script(command)
        if absent := self.absent(script):
            return self.skipped(command, f"{absent} is not installed")
        began_at = time.time()
        result = self._run(command)
        evidence = Evidence(
            ran=self._number_ran(printable(result.output), began_at),
            script=script,
            missing=[part.missing for part in self.plan.parts if part.missing],
        )
        return self._receipt(command, result, judge(command, result, evidence))

    def script(self, command: Command) -> str | None:
        """The commands that it comes down to; None for a program of its own."""
        if command not in self._scripts:
            folder = Folder(checkout=self.checkout, path=command.directory)
            found = scripts.behind(command, folder, lambda argv: self._ask(command, argv))
            self._scripts[command] = found
        return self._scripts[command]

    def _number_ran(self, output: str, began_at: float) -> int | None:
        ran = results.number_ran(output)
        if results.is_gradles(output):
            return (ran or 0) + reports.number_ran(self.checkout, since=began_at)
        return ran

    def absent(self, script: str | None) -> str:
        """The first known program of the script that is not installed."""
        names = tools.programs(script or "")
        return next((name for name in names if not self.host.has(name)), "")

    def reason_against(self, command: Command) -> str:
        """The reason why it cannot run; empty if it can."""
        program = command.argv[0]
        is_there = self.host.has(program)
        if "/" in program and not program.startswith("/"):
            is_there = (self.checkout / command.directory / program).exists()
        if not is_there:
            return f"{program} is not installed"
        if not (self.checkout / command.directory).is_dir():
            return f"there is no folder {command.directory}"
        return "" if self.seconds_left() > 0 else "the time for validation was over"

    def _run(self, command: Command) -> CommandResult:
        return self._start(command, command.argv, self.seconds_left())

    def _ask(self, command: Command, argv: Argv) -> str | None:
        result = self._start(command, argv, min(ASK_SECONDS, self.seconds_left()))
        return None if result.exit_code else result.output

    def _start(self, command: Command, argv: Argv, seconds: float) -> CommandResult:
        # Its directory is entered by a program: the command may write in the whole checkout.
        enter = ("env", "--chdir", command.directory) if command.directory else ()
        return self.runner.run(
            (*enter, *argv),
            directory=self.checkout,
            environ={**self.environ, **dict(command.environ)},
            seconds=seconds,
        )

    def skipped(self, command: Command, reason: str) -> Receipt:
        return Receipt(
            command=self.line(command),
            exit_code=None,
            seconds=0.0,
            output_tail="",
            status="not_run",
            reason=reason,
        )

    def _receipt(self, command: Command, result: CommandResult, verdict: Verdict) -> Receipt:
        status, reason = verdict
        return Receipt(
            command=self.line(command),
            exit_code=None if result.is_timed_out else result.exit_code,
            seconds=result.seconds,
            output_tail=last_of(printable(result.output), TAIL_CHARACTERS),
            status=status,
            reason=reason,
            output_digest=result.output_digest,
        )

    def line(self, command: Command) -> str:
        """The command as people would type it, with the home as they would name it."""
        return command.line.replace(self.environ["HOME"], "~")
