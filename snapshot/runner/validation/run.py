"""Runs the checks of the task or the repository, with a receipt for each command.

A command that did not run has a receipt too: validation is evidence only as far as it ran.
"""

import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..agent.command import CommandResult, Runner
from ..agent.reaper import NOT_FOUND
from ..budget import Budget
from ..reporting.events import Receipt, Status
from ..text import printable
from ..truncation import first_of, last_of
from .declared import Argv, declared

TAIL_CHARACTERS: Final = 4_000
COMMAND_CHARACTERS: Final = 500
LARGEST_CHECKS: Final = 20


@dataclass(kw_only=True, slots=True)
class Validation:
    """One run in a clean checkout that is thrown away afterwards."""

    runner: Runner
    checkout: Path
    environ: dict[str, str]
    budget: Budget
    on_receipt: Callable[[Receipt], None]

    def run(self, checks: Sequence[Argv] | None) -> None:
        """Install, then check; None: the checks that the repository declares."""
        plan = declared(self.checkout)
        wanted = (plan.checks if checks is None else tuple(checks))[:LARGEST_CHECKS]
        failed = self._install(plan.installs, needs_venv=plan.needs_venv) if wanted else None
        for check in wanted:
            if failed is None:
                self._run(check)
            else:
                self._skip(check, f"the installation did not pass: {failed.command}")

    def _install(self, installs: Sequence[Argv], *, needs_venv: bool) -> Receipt | None:
        """The receipt of the first step that did not pass."""
        virtual = Path(self.environ["HOME"]) / "venv"
        steps = [("python3", "-m", "venv", str(virtual))] if needs_venv else []
        for step in [*steps, *installs]:
            receipt = self._run(step)
            if receipt.status != "passed":
                return receipt
            if step in steps:
                self.environ["PATH"] = f"{virtual / 'bin'}:{self.environ['PATH']}"
                self.environ["VIRTUAL_ENV"] = str(virtual)
        return None

    def _run(self, argv: Argv) -> Receipt:
        program = argv[0]
        if not self._is_installed(program):
            return self._skip(argv, f"{program} is not installed")
        if self.budget.validation_seconds <= 0:
            return self._skip(argv, "the time for validation was over")
        result = self.runner.run(
            argv,
            directory=self.checkout,
            environ=self.environ,
            seconds=self.budget.validation_seconds,
        )
        receipt = _receipt(argv, result)
        self.on_receipt(receipt)
        return receipt

    def _is_installed(self, program: str) -> bool:
        if "/" in program:
            return (self.checkout / program).exists()
        return shutil.which(program, path=self.environ["PATH"]) is not None

    def _skip(self, argv: Argv, reason: str) -> Receipt:
        receipt = Receipt(
            command=_shown(argv),
            exit_code=None,
            seconds=0.0,
            output_tail="",
            status="not_run",
            reason=reason,
        )
        self.on_receipt(receipt)
        return receipt


def _receipt(argv: Argv, result: CommandResult) -> Receipt:
    status: Status = "passed" if result.exit_code == 0 else "failed"
    exit_code: int | None = result.exit_code
    reason = ""
    if result.is_timed_out:
        status, exit_code, reason = "timed_out", None, f"stopped after {result.seconds:.0f} s"
    elif result.exit_code == NOT_FOUND:
        reason = "a program it needs is not installed"
    return Receipt(
        command=_shown(argv),
        exit_code=exit_code,
        seconds=result.seconds,
        output_tail=last_of(printable(result.output), TAIL_CHARACTERS),
        status=status,
        reason=reason,
        output_digest=result.output_digest,
    )


def _shown(argv: Argv) -> str:
    return first_of(shlex.join(argv), COMMAND_CHARACTERS)
