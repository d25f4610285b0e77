"""Validates a checkout: the checks of the task or of the repository, with a receipt for each.

A command that did not run has a receipt too: validation is evidence only as far as it ran.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..agent.command import Runner
from ..reporting.events import Receipt
from ..time_budget import Budget
from .baseline import NOTE, BaseCommit, Baseline
from .declared import declaring_texts, make_plan
from .execution import Execution
from .plan import Argv, Host
from .session import Session
from .verdict import NOT_INSTALLED


@dataclass(kw_only=True, slots=True)
class Validation:
    """One run in a clean checkout that is thrown away afterwards."""

    runner: Runner
    checkout: Path
    environ: dict[str, str]
    budget: Budget
    on_receipt: Callable[[Receipt], None]
    changed: Collection[str] = ()
    """Paths that the agent changed; without any the whole repository is checked."""
    base: BaseCommit | None = None
    """None: the checkout itself is the base, and nothing is compared with it."""

    def run(self, checks: Sequence[Argv] | None) -> None:
        """Set up, then check; None: the checks that the repository declares."""

        def session(checkout: Path, environ: dict[str, str]) -> Session:
            return self._session(checkout, environ, checks)

        baseline = Baseline(self.base, session) if self.base else None

        def report(receipt: Receipt) -> None:
            self.on_receipt(compared(receipt, baseline) if baseline else receipt)

        Execution(session=session(self.checkout, self.environ), on_receipt=report).run()

    def _session(
        self, checkout: Path, environ: dict[str, str], checks: Sequence[Argv] | None
    ) -> Session:
        plan = make_plan(
            checkout,
            Host(home=Path(environ["HOME"]), path=environ["PATH"]),
            texts=declaring_texts(checkout) if self.base is None else self.base.texts,
            task=checks,
            changed=self.changed,
        )
        return Session(
            runner=self.runner,
            checkout=checkout,
            environ=plan.variables(environ),
            plan=plan,
            seconds_left=lambda: self.budget.validation_seconds,
        )


def compared(receipt: Receipt, baseline: Baseline) -> Receipt:
    """The receipt, which says of a failure if the base commit has it too.

    A check that lacks something and passes on the base commit failed: the change took it away.
    """
    if receipt.status not in {"failed", "timed_out"} and not _lacks(receipt):
        return receipt
    status = baseline.status(receipt.command)
    if _lacks(receipt):
        failed = msgspec.structs.replace(receipt, status="failed", baseline=status)
        return failed if status == "passed" else receipt
    if status != "failed":
        return msgspec.structs.replace(receipt, baseline=status)
    reason = f"{receipt.reason}; {NOTE}" if receipt.reason else NOTE
    return msgspec.structs.replace(receipt, baseline=status, reason=reason)


def _lacks(receipt: Receipt) -> bool:
    """True if a check that was started misses a program or a library."""
    is_started = receipt.status == "not_run" and receipt.exit_code is not None
    return is_started and receipt.reason.endswith(NOT_INSTALLED)
