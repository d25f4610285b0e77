"""The CLI as the provider uses it: a private home, typed answers, flags as its help names them."""

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from launcher.outgoing import Outgoing
from launcher.providers.daytona.complaints import complaint
from launcher.providers.daytona.http import Unanswered
from launcher.providers.program import NotStarted, Program, Ran, Take
from launcher.providers.protocol import ProviderError

T = TypeVar("T")

CALL_SECONDS: Final = 45.0
"""The CLI itself waits without a limit."""
_FLAG: Final = re.compile(r"--([a-z][a-z0-9-]*)")
_VERSION: Final = re.compile(r"v?(\d+\.\d+\.\d+)")


class Terminal:
    """One CLI with one key."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.environ = program.environ
        self._flags: dict[tuple[str, ...], frozenset[str]] = {}
        self._asking = asyncio.Lock()

    async def run(self, *arguments: str, seconds: float = CALL_SECONDS) -> str:
        """What it printed.

        Raises:
            ProviderError: it failed.
        """
        ran = await self.ran(*arguments, seconds=seconds)
        if ran.code != 0:
            raise complaint(ran)
        return ran.out

    async def document(self, kind: type[T], *arguments: str) -> T:
        """What it printed, as a document.

        Raises:
            ProviderError: it failed, or printed something else.
        """
        out = await self.run(*arguments, "--format=json")
        try:
            return msgspec.json.decode(out, type=kind)
        except msgspec.DecodeError as error:
            message = "Daytona: its CLI printed no JSON"
            raise Unanswered("provider_unavailable", message, retryable=True) from error

    async def ran(
        self, *arguments: str, seconds: float = CALL_SECONDS, echo: Take | None = None
    ) -> Ran:
        """One run, however it ends; `echo` gets what it prints, as it comes.

        Raises:
            ProviderError: there is no such program.
        """
        try:
            return await self._program.run(*arguments, seconds=seconds, echo=echo)
        except NotStarted as error:
            message = f"{error}. Install Daytona's CLI on the launcher's PATH"
            raise ProviderError("provider_unavailable", message, retryable=False) from error

    async def flags(self, *command: str) -> frozenset[str]:
        """The flags of a command, read once from its help: releases differ in them."""
        async with self._asking:
            if command not in self._flags:
                text = await self.run(*command, "--help")
                self._flags[command] = frozenset(_FLAG.findall(text))
            return self._flags[command]

    async def version(self) -> str:
        """`0.190.0`, or what it says instead."""
        out = await self.run("--version")
        found = _VERSION.search(out)
        return found[1] if found else out.strip()[:100]


def open_terminal(
    folder: Path, *, path: str, url: str, api_key: str, environ: Mapping[str, str]
) -> Terminal:
    """A CLI that finds a configuration, so that its first run installs nothing; that has no shell
    and no home of ours; and whose working directory is empty, for older ones read its `.env`."""
    home, configuration, empty = (folder / name for name in ("home", "configuration", "empty"))
    for each in (home, configuration, empty):
        each.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_profile(configuration / "config.json", url, api_key)
    given = {
        "PATH": environ.get("PATH", ""),
        "HOME": str(home),
        "DAYTONA_CONFIG_DIR": str(configuration),
        "DAYTONA_API_URL": url,
        "DAYTONA_API_KEY": api_key,
        **Outgoing.of_environ(environ).variables,
    }
    return Terminal(Program(path, environ=given, folder=empty))


def _write_profile(path: Path, url: str, api_key: str) -> None:
    """Releases before v0.128 do not look at the variables."""
    profile = {"id": "slipgate", "name": "slipgate", "api": {"url": url, "key": api_key}}
    path.touch(mode=0o600)
    path.write_text(json.dumps({"activeProfile": "slipgate", "profiles": [profile]}))
