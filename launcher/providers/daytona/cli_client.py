"""Runs the daytona CLI in a private home, with typed results and the flags that its help names."""

import asyncio
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from launcher.egress import Egress
from launcher.providers.daytona.cli_errors import ANSI, cli_error, fatal_message
from launcher.providers.daytona.errors import unanswered
from launcher.providers.program import CommandResult, NotStarted, OutputHandler, Program
from launcher.providers.protocol import ProviderError, ProviderUnusable

T = TypeVar("T")

CALL_SECONDS: Final = 45.0
"""The CLI itself waits without a limit."""
NEEDED_RELEASE: Final = "v0.135"
"""The first one with `sandbox exec`, which reads spools and stops agents."""
READS_ENVIRONMENT_SINCE: Final = (0, 128, 0)
_FLAG: Final = re.compile(r"^  (?:-\w, |    )--([a-z][a-z0-9-]*)", re.MULTILINE)
"""The definition in a help, whose descriptions name other flags."""
_COMMAND: Final = re.compile(r"^  ([a-z][a-z-]*)  +\S", re.MULTILINE)
_DOCUMENT: Final = re.compile(r"^[\[{]", re.MULTILINE)
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_NO_PROFILE: Final[Mapping[str, object]] = {"activeProfile": "", "profiles": []}


class DaytonaCliClient:
    """The CLI with one key. All calls raise `ProviderError`."""

    def __init__(self, program: Program, config_file: Path) -> None:
        self._program = program
        self.environ = program.environ
        self._config_file = config_file
        self._flags: dict[tuple[str, ...], frozenset[str]] = {}
        self._reading_flags = asyncio.Lock()
        self._is_ready = False
        self._has_exec = False

    async def run(self, *arguments: str, seconds: float = CALL_SECONDS) -> str:
        """The output of a run that succeeds."""
        result = await self.try_run(*arguments, seconds=seconds)
        if result.code != 0:
            raise _failed(result, arguments)
        return result.out

    async def document(self, kind: type[T], *arguments: str) -> T:
        """The API's answer, which a run prints as JSON. A release before v0.165 that does not know
        a state in it fails, and prints it as its error."""
        result = await self.try_run(*arguments, "--format=json")
        texts = _documents(result.out) if result.code == 0 else (fatal_message(result),)
        for text in texts:
            with suppress(msgspec.DecodeError):
                return msgspec.json.decode(text, type=kind)
        if result.code != 0:
            raise _failed(result, arguments)
        raise unanswered("its CLI printed no JSON")

    async def try_run(
        self, *arguments: str, seconds: float = CALL_SECONDS, on_output: OutputHandler | None = None
    ) -> CommandResult:
        """One run, whatever its exit code."""
        await self._prepare_profile()
        return await self._run(*arguments, seconds=seconds, on_output=on_output)

    async def flags(self, *command: str) -> frozenset[str]:
        """The flags of a command, read once from its help: they differ by release."""
        async with self._reading_flags:
            if command not in self._flags:
                text = await self.run(*command, "--help")
                self._flags[command] = frozenset(_FLAG.findall(text))
            return self._flags[command]

    async def check_release(self) -> None:
        """Raises `ProviderUnusable` for a release without `sandbox exec`, which prints help instead
        of running a command, with exit code 0."""
        if self._has_exec:
            return
        commands = _COMMAND.findall(await self.run("sandbox", "--help"))
        self._has_exec = "exec" in commands
        if not self._has_exec:
            raise ProviderUnusable(
                "provider_refused",
                f"Daytona's CLI v{await self.version()} is too old: it has no `daytona sandbox "
                f"exec`. Install {NEEDED_RELEASE} or later on the launcher's PATH",
            )

    async def version(self) -> str:
        """`0.190.0`, or the output if it holds no version."""
        out = (await self._run("--version", seconds=CALL_SECONDS)).out
        found = _VERSION.search(out)
        return found[0].removeprefix("v") if found else out.strip()[:100]

    async def _prepare_profile(self) -> None:
        """Before v0.128 the CLI reads no variables and needs a profile. Later ones, with a profile,
        rewrite the whole file at each `exec` to note an address in it, in two steps: other runs,
        which find it empty in between, end with `unexpected end of JSON input`."""
        if self._is_ready:
            return
        found = _VERSION.search(await self.version())
        release = tuple(map(int, found.groups())) if found else READS_ENVIRONMENT_SINCE
        # A developer's build calls itself v0.0.0.
        if (0, 0, 0) < release < READS_ENVIRONMENT_SINCE:
            _write(self._config_file, _profile(self.environ))
        self._is_ready = True

    async def _run(
        self, *arguments: str, seconds: float, on_output: OutputHandler | None = None
    ) -> CommandResult:
        try:
            return await self._program.run(*arguments, seconds=seconds, on_output=on_output)
        except NotStarted as error:
            message = f"{error}. Install Daytona's CLI on the launcher's PATH"
            raise ProviderUnusable("provider_unavailable", message) from error


def open_cli_client(
    folder: Path, *, path: str, url: str, api_key: str, environ: Mapping[str, str]
) -> DaytonaCliClient:
    """A CLI with a configuration, so that its first run installs nothing, without a shell and
    without our home, in an empty working directory, for older ones read its `.env`."""
    home, configuration, empty = (folder / name for name in ("home", "configuration", "empty"))
    for each in (home, configuration, empty):
        each.mkdir(parents=True, exist_ok=True, mode=0o700)
    config_file = configuration / "config.json"
    _write(config_file, _NO_PROFILE)
    variables = {
        "PATH": environ.get("PATH", ""),
        "HOME": str(home),
        "DAYTONA_CONFIG_DIR": str(configuration),
        "DAYTONA_API_URL": url,
        "DAYTONA_API_KEY": api_key,
        **Egress.of_environ(environ).variables,
    }
    return DaytonaCliClient(Program(path, environ=variables, folder=empty), config_file)


def _failed(result: CommandResult, arguments: Sequence[str]) -> ProviderError:
    return cli_error(result, "snapshot" if arguments[0] == "snapshot" else "sandbox")


def _documents(out: str) -> Iterator[str]:
    """The output, then each JSON document in it: a wrapper may print notices around it."""
    yield out
    plain = ANSI.sub("", out)
    for begin in _DOCUMENT.finditer(plain):
        with suppress(ValueError):
            _, end = json.JSONDecoder().raw_decode(plain, begin.start())
            yield plain[begin.start() : end]


def _profile(environ: Mapping[str, str]) -> dict[str, object]:
    api = {"url": environ["DAYTONA_API_URL"], "key": environ["DAYTONA_API_KEY"]}
    profile = {"id": "slipgate", "name": "slipgate", "api": api}
    return {"activeProfile": "slipgate", "profiles": [profile]}


def _write(path: Path, document: Mapping[str, object]) -> None:
    """Atomically: another run may read the file meanwhile."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(document))
    draft.replace(path)
