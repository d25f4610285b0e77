"""`python -m launcher.doctor`, which `slipgate doctor` runs."""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from launcher.doctor.checkup import Checkup
from launcher.doctor.live import LiveCheck
from launcher.doctor.report import Check, Report, all_ok, cancel_on_sigterm, print_error
from launcher.doctor.trial import Trial
from launcher.settings import inspect_settings

DONE, FAILED = 0, 1
REQUIRED: Final = frozenset({"configuration", "Daytona API", "snapshot", "entrypoint", "scripts"})
"""Checks that must not fail before a sandbox is paid for."""


class Findings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Output of `--json`."""

    ok: bool
    checks: tuple[Check, ...]
    trials: tuple[Trial, ...]
    support_report: str | None


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    options = _parse(arguments)
    settings, problems = inspect_settings(environ)
    checkup = Checkup(settings=settings, problems=problems, environ=environ)
    report = Report(checkup.secrets)
    try:
        findings = asyncio.run(_run(options, checkup, report))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print_error("interrupted")
        return FAILED
    if options.json:
        report.document(findings)
    else:
        _print_summary(report, findings)
    return DONE if findings.ok else FAILED


async def _run(options: argparse.Namespace, checkup: Checkup, report: Report) -> Findings:
    """Prints each check as it comes, unless the output is JSON."""
    cancel_on_sigterm()
    checks: list[Check] = []

    def add(check: Check) -> None:
        checks.append(check)
        if not options.json:
            report.check(check)

    async for check in checkup.run():
        add(check)
    snapshot = options.snapshot or next(iter(checkup.snapshots), None)
    live = LiveCheck(settings=checkup.settings, environ=checkup.environ, snapshot=snapshot)
    if options.live and _may_create(checks):
        async for check in live.run():
            add(check)
    return Findings(
        ok=all_ok(checks),
        checks=tuple(checks),
        trials=tuple(live.trials),
        support_report=live.support_report or None,
    )


def _may_create(checks: Sequence[Check]) -> bool:
    broken = {check.name for check in checks if check.outcome == "failed"} & REQUIRED
    if broken:
        print_error(f"No sandbox is made: {', '.join(sorted(broken))} has to be well first.")
    return not broken


def _print_summary(report: Report, findings: Findings) -> None:
    outcomes = [check.outcome for check in findings.checks]
    report.line()
    warnings = outcomes.count("warning")
    report.line(f"{outcomes.count('failed')} failed, {warnings} warning{'s' * (warnings != 1)}")
    if findings.support_report:
        report.line()
        report.line("For Daytona's support (no key is in it):", style="bold")
        report.line(findings.support_report)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """`slipgate doctor` has the help."""
    parser = argparse.ArgumentParser(prog="slipgate doctor", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--snapshot")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
