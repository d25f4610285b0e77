"""The environment of a launcher, and the checks that the doctor makes of it."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from launcher.doctor.checkup import Checkup
from launcher.doctor.report import Check
from launcher.settings import inspect_settings

SNAPSHOT = "slipgate-agent-1"
PUBLIC_URL = "public URL"
"""The one check that fails: the gateway's public URL is an example."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """An environment in which all checks but one pass."""

    environ: dict[str, str]
    wrong_scope: str
    """A key of the gateway with another scope than launcher."""
    bin: Path
    """The folder of its CLI."""

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
