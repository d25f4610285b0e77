"""Runs a plan in its session: set-up first, then checks, with a receipt for each command."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from ..reporting.events import Receipt
from .plan import Command, Part, Target, usable
from .session import Session
from .verdict import UNCOUNTED

LARGEST_CHECKS: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    session: Session
    on_receipt: Callable[[Receipt], None]
    only: Collection[str] = ()
    """Lines of the only commands that are wanted; empty: all."""

    def run(self) -> None:
        plan, session = self.session.plan, self.session
        for mistake in plan.mistakes:
            self.on_receipt(session.skipped(Command(argv=(".slipgate.yml",)), mistake))
        if plan.checks is None:
            self._run_targets()
        elif absent := [tool for tool in plan.tools if not session.host.has(tool)]:
            self._skip(plan.checks, f"{absent[0]} is not installed")
        else:
            self._run_whole(plan.checks[:LARGEST_CHECKS])

    def _run_targets(self) -> None:
        for target in self.session.plan.targets:
            self._run_target(target)

    def _run_whole(self, checks: Sequence[Command]) -> None:
        """Checks of the whole repository, after the whole set-up."""
        plan, session = self.session.plan, self.session
        if not checks or not self._is_wanted([*plan.steps, *checks]):
            return
        if self._is_set_up(plan.steps, checks):
            runnable = [check for check in checks if not self._absent(check)]
            if not runnable and not plan.is_complete and any(t.checks for t in plan.targets):
                self._run_targets()
                return
            for check in checks:
                self._run_declared(check)
        if not plan.is_complete:
            self._skip_missing(session.plan.parts)

    def _run_declared(self, check: Command) -> None:
        """A declared check; one that only lacks a tool of its author's machine is left out."""
        absent, plan = self._absent(check), self.session.plan
        if not absent or plan.is_complete:
            self._check(check)
        elif any(part.missing == absent for part in plan.parts):
            self._skip([check], f"{absent} is not installed")

    def _absent(self, check: Command) -> str:
        absent = self.session.absent
        return absent(check.plain_line) or absent(self.session.script(check))

    def _run_target(self, target: Target) -> None:
        """The project's one command for all tests, or the checks of its parts; both if the one
        counts no tests."""
        wrapper = target.wrapper
        if wrapper is None:
            for part in target.parts:
                self._run_part(part)
            return
        steps = self._steps(usable(target.parts))
        parts = [part for part in usable(target.parts) if part.checks]
        own = [check for part in parts for check in part.checks]
        if not self._is_wanted([*steps, wrapper, *own]) or not self._is_set_up(steps, [wrapper]):
            return
        absent = self.session.reason_against(wrapper) or self._lacks(wrapper)
        receipt = None if absent and parts else self._check(wrapper)
        if receipt is None or receipt.reason == UNCOUNTED:
            for part in parts:
                self._run_part(
                    part, note=f"instead of `{wrapper.line}`: {absent}" if absent else ""
                )
        if receipt is None or receipt.status != "not_run":
            self._skip_missing(target.parts)

    def _lacks(self, command: Command) -> str:
        """The reason why a script behind a command cannot run; empty if it can."""
        absent = self.session.absent(self.session.script(command))
        return f"{absent} is not installed" if absent else ""

    def _run_part(self, part: Part, *, note: str = "") -> None:
        steps = self._steps([part])
        if part.missing:
            self._skip(part.checks, f"{part.missing} is not installed")
            return
        is_wanted = part.checks and self._is_wanted([*steps, *part.checks])
        if is_wanted and self._is_set_up(steps, part.checks):
            for check in part.checks:
                self._check(check, note=note)

    def _steps(self, parts: Sequence[Part]) -> tuple[Command, ...]:
        """The set-up of these parts, or that of the repository itself."""
        plan = self.session.plan
        return plan.steps if plan.setup is not None else tuple(s for p in parts for s in p.setup)

    def _is_set_up(self, steps: Sequence[Command], checks: Sequence[Command]) -> bool:
        """Set up; if that fails, the checks have receipts that say so."""
        needed = [step for step in steps if not step.is_prefetch]
        failed = self.session.set_up(needed, self.on_receipt)
        if failed is not None:
            self._skip(checks, f"the installation did not pass: {failed.command}")
        return failed is None

    def _check(self, command: Command, *, note: str = "") -> Receipt | None:
        if not self._is_wanted([command]):
            return None
        receipt = self.session.check(command)
        reason = "; ".join(filter(None, (receipt.reason, note)))
        self.on_receipt(msgspec.structs.replace(receipt, reason=reason))
        return receipt

    def _skip_missing(self, parts: Sequence[Part]) -> None:
        for part in parts:
            if part.missing:
                self._skip(part.checks, f"{part.missing} is not installed")

    def _skip(self, commands: Sequence[Command], reason: str) -> None:
        for command in commands:
            if self._is_wanted([command]):
                self.on_receipt(self.session.skipped(command, reason))

    def _is_wanted(self, commands: Sequence[Command]) -> bool:
        return not self.only or any(self.session.line(each) in self.only for each in commands)
