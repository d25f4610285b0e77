"""A launcher's settings, and what the doctor finds with them."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from launcher.doctor.checkup import Checkup
from launcher.doctor.report import Check
from launcher.settings import inspect_settings

SNAPSHOT = "slipgate-agent-1"
PUBLIC_URL = "public URL"
"""The one thing that is not well here: the gateway's own address is an example's."""


@dataclass(frozen=True, kw_only=True)
class Patient:
    """May be made ill by other settings."""

    environ: dict[str, str]
    wrong_scope: str
    """A key of the gateway that is no launcher's."""
    bin: Path
    """Where its CLI lies."""

    async def checks(self, *without: str, **other: str) -> dict[str, list[Check]]:
        """By name; `without` some variables, and with others."""
        environ = {**self.environ, **other}
        settings, problems = inspect_settings(
            {name: text for name, text in environ.items() if name not in without}
        )
        found: defaultdict[str, list[Check]] = defaultdict(list)
        async for check in Checkup(settings=settings, problems=problems, environ=environ).run():
            found[check.name].append(check)
        return found

    async def check(self, name: str, *without: str, **other: str) -> Check:
        """The one of that name."""
        (one,) = (await self.checks(*without, **other))[name]
        return one
