"""The environment of a launcher, and the doctor's checks of it."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from launcher.doctor.checkup import Checkup
from launcher.doctor.report import Check
from launcher.settings import inspect_settings

SNAPSHOT = "slipgate-agent-1"
PUBLIC_URL = "public URL"
"""The one failing check: the gateway's public URL is an example."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """An environment in which all checks but one pass."""

    environ: dict[str, str]
    wrong_scope: str
    """A key of the gateway with another scope than launcher."""
    bin: Path
    """Directory of the stand-in CLI."""

    async def checks(self, *without: str, **other: str) -> dict[str, list[Check]]:
        """Checks by name; `without` unsets variables."""
        environ = {**self.environ, **other}
        settings, problems = inspect_settings(
            {name: text for name, text in environ.items() if name not in without}
        )
        found: defaultdict[str, list[Check]] = defaultdict(list)
        async for check in Checkup(settings=settings, problems=problems, environ=environ).run():
            found[check.name].append(check)
        return found

    async def check(self, name: str, *without: str, **other: str) -> Check:
        (one,) = (await self.checks(*without, **other))[name]
        return one
