"""Runs what the task or the repository declares, and writes a receipt for every command.

Its results are evidence only as far as they ran: what did not run has a receipt that says so.
"""

import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from ..agent.command import NOT_FOUND, CommandResult, Runner
from ..budget import Budget
from ..reporting.events import Receipt, Status
from ..text import printable
from ..truncation import first_of, last_of
from .declared import Argv, declared

TAIL_CHARACTERS: Final = 4_000
COMMAND_CHARACTERS: Final = 500
RECEIPTS: Final = 20


class Validation:
    """One run in a clean checkout that is thrown away afterwards."""

    def __init__(
        self,
        *,
        runner: Runner,
        workdir: Path,
        environ: Mapping[str, str],
        budget: Budget,
        on_receipt: Callable[[Receipt], None],
    ) -> None:
        self._runner = runner
        self._checkout = workdir / "checkout"
        self._virtual = Path(environ["HOME"]) / "venv"
        self._environ = dict(environ)
        self._budget = budget
        self._on_receipt = on_receipt
        self._receipts: list[Receipt] = []

    def run(self, checks: Sequence[Argv] | None) -> tuple[Receipt, ...]:
        """Install, then check; None: the repository's own checks.

        Raises:
            Stopped: the attempt was stopped.
        """
        plan = declared(self._checkout)
        wanted = (plan.checks if checks is None else tuple(checks))[:RECEIPTS]
        if wanted:
            self._install(plan.installs, needs_venv=plan.needs_venv)
        failed = next((r for r in self._receipts if r.status != "passed"), None)
        for check in wanted:
            if failed is None:
                self._run(check)
            else:
                self._skip(check, f"the installation did not pass: {failed.command}")
        return tuple(self._receipts)

    def _install(self, installs: Sequence[Argv], *, needs_venv: bool) -> None:
        steps = [("python3", "-m", "venv", str(self._virtual))] if needs_venv else []
        for step in [*steps, *installs]:
            if self._run(step).status != "passed":
                return
            if step[1:3] == ("-m", "venv"):
                self._enter_venv()

    def _enter_venv(self) -> None:
        binaries = self._virtual / "bin"
        self._environ["PATH"] = f"{binaries}:{self._environ['PATH']}"
        self._environ["VIRTUAL_ENV"] = str(self._virtual)

    def _run(self, argv: Argv) -> Receipt:
        program = argv[0]
        if not self._is_there(program):
            return self._skip(argv, f"{program} is not installed")
        if self._budget.validation_seconds <= 0:
            return self._skip(argv, "the time for validation was over")
        finished = self._runner.run(
            argv,
            directory=self._checkout,
            environ=self._environ,
            seconds=self._budget.validation_seconds,
        )
        return self._keep(_receipt(argv, finished))

    def _is_there(self, program: str) -> bool:
        if "/" in program:
            return (self._checkout / program).exists()
        return shutil.which(program, path=self._environ["PATH"]) is not None

    def _skip(self, argv: Argv, reason: str) -> Receipt:
        return self._keep(
            Receipt(
                command=_shown(argv),
                exit_code=None,
                seconds=0.0,
                output_tail="",
                status="not_run",
                reason=reason,
            )
        )

    def _keep(self, receipt: Receipt) -> Receipt:
        self._receipts.append(receipt)
        self._on_receipt(receipt)
        return receipt


def _receipt(argv: Argv, finished: CommandResult) -> Receipt:
    status: Status = "passed" if finished.exit_code == 0 else "failed"
    exit_code: int | None = finished.exit_code
    reason = ""
    if finished.is_timed_out:
        status, exit_code, reason = "timed_out", None, f"stopped after {finished.seconds:.0f} s"
    elif finished.exit_code == NOT_FOUND:
        reason = "a program it needs is not installed"
    return Receipt(
        command=_shown(argv),
        exit_code=exit_code,
        seconds=finished.seconds,
        output_tail=last_of(printable(finished.output), TAIL_CHARACTERS),
        status=status,
        reason=reason,
        output_digest=finished.output_digest,
    )


def _shown(argv: Argv) -> str:
    return first_of(shlex.join(argv), COMMAND_CHARACTERS)
