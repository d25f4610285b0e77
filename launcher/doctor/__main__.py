"""`python -m launcher.doctor`, to which `slipgate doctor` hands over."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from launcher.doctor.check import Check, all_ok
from launcher.doctor.checkup import Checkup
from launcher.doctor.live import LiveCheck
from launcher.doctor.report import Report
from launcher.doctor.trial import Trial, TrialContext
from launcher.settings import inspect_settings

DONE, FAILED = 0, 1
COSTS: Final = frozenset({"configuration", "Daytona API", "snapshot", "entrypoint", "scripts"})
"""What has to be well before a sandbox is paid for."""


class Findings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What `--json` prints."""

    ok: bool
    checks: tuple[Check, ...]
    trials: tuple[Trial, ...]
    verdict: str | None


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """The exit code."""
    wanted = _parse(arguments)
    settings, problems = inspect_settings(environ)
    checkup = Checkup(settings=settings, problems=problems, environ=environ)
    visit = Visit(checkup, Report(checkup.secrets), as_json=wanted.json)
    try:
        findings = asyncio.run(visit.run(live=wanted.live, snapshot=wanted.snapshot))
    except (KeyboardInterrupt, asyncio.CancelledError):
        _log("interrupted")
        return FAILED
    visit.sum_up(findings)
    return DONE if findings.ok else FAILED


class Visit:
    """One run of the command."""

    def __init__(self, checkup: Checkup, report: Report, *, as_json: bool) -> None:
        self._examination = checkup
        self._paper = report
        self._as_json = as_json
        self._checks: list[Check] = []

    async def run(self, *, live: bool, snapshot: str | None) -> Findings:
        """Prints as it goes, for people."""
        _stop_on_sigterm()
        async for check in self._examination.run():
            self._note(check)
        trials, verdict = await self._live(snapshot) if live else ((), None)
        return Findings(
            ok=all_ok(self._checks), checks=tuple(self._checks), trials=trials, verdict=verdict
        )

    def sum_up(self, findings: Findings) -> None:
        """The end of what is printed."""
        if self._as_json:
            self._paper.document(findings)
            return
        counted = [check.outcome for check in findings.checks]
        self._paper.line()
        self._paper.line(f"{counted.count('failed')} failed, {counted.count('warning')} warnings")
        if findings.verdict:
            self._paper.line()
            self._paper.line("For Daytona's support (no key is in it):", style="bold")
            self._paper.line(findings.verdict)

    async def _live(self, snapshot: str | None) -> tuple[tuple[Trial, ...], str | None]:
        broken = {check.name for check in self._checks if check.outcome == "failed"} & COSTS
        if broken:
            _log(f"No sandbox is made: {', '.join(sorted(broken))} has to be well first.")
            return (), None
        live = LiveCheck(
            settings=self._examination.settings,
            environ=self._examination.environ,
            snapshot=snapshot or next(iter(self._examination.snapshots), None),
            trials_context=TrialContext(say=_log),
        )
        async for check in live.run():
            self._note(check)
        return tuple(live.trials), live.verdict or None

    def _note(self, check: Check) -> None:
        self._checks.append(check)
        if not self._as_json:
            self._paper.check(check)


def _log(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _stop_on_sigterm() -> None:
    """As Ctrl-C does: what was made is deleted first."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="slipgate doctor",
        description="Looks for what can be wrong, with the environment of the launcher.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument(
        "--live",
        action="store_true",
        help="make, compare and delete one sandbox per provider (this may cost a little)",
    )
    parser.add_argument("--snapshot", metavar="NAME", help="another one than tasks get, for --live")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
