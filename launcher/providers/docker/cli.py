"""Calls of the docker CLI: argument lists, typed results, a bounded time."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from launcher.providers.docker.errors import NotThere, cli_error, unavailable
from launcher.providers.docker.schema import Container, Network
from launcher.providers.program import CommandResult, NotStarted, OutputHandler, Program
from launcher.providers.protocol import ProviderError

T = TypeVar("T")

CALL_SECONDS: Final = 45.0
AT_A_TIME: Final = 100
PASSED_ON: Final = (
    *("PATH", "HOME", "XDG_RUNTIME_DIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSH_AUTH_SOCK"),
    *("DOCKER_API_VERSION", "DOCKER_CERT_PATH", "DOCKER_CONFIG", "DOCKER_CONTEXT"),
    *("DOCKER_HOST", "DOCKER_TLS", "DOCKER_TLS_VERIFY"),
)
"""Variables of the CLI: the user chooses the daemon by docker's own ones, or by the context in
`~/.docker`."""


class DockerCli:
    """The CLI of one daemon. All calls raise `ProviderError`."""

    def __init__(self, program: Program) -> None:
        self._program = program

    async def try_run(
        self,
        *arguments: str,
        seconds: float = CALL_SECONDS,
        stdin: bytes | None = None,
        on_stdout: OutputHandler | None = None,
        on_output: OutputHandler | None = None,
    ) -> CommandResult:
        """One run, whatever its exit code."""
        try:
            return await self._program.run(
                *arguments, seconds=seconds, stdin=stdin, on_stdout=on_stdout, on_output=on_output
            )
        except NotStarted as error:
            message = f"{error}. Install docker's CLI on the launcher's PATH"
            raise ProviderError("provider_unavailable", message) from error

    async def run(self, *arguments: str, seconds: float = CALL_SECONDS) -> str:
        """The output of a run that succeeds."""
        result = await self.try_run(*arguments, seconds=seconds)
        if result.code != 0:
            raise cli_error(result)
        return result.out

    def lines(self, *arguments: str) -> AsyncGenerator[bytes, None]:
        return self._program.lines(*arguments)

    async def identity(self) -> str:
        """The daemon's id, which is the realm: names are unique there."""
        out = (await self.run("info", "--format={{.ID}}")).strip()
        if not out:
            raise unavailable("the daemon does not tell its id")
        return out

    async def container(self, name: str) -> Container | None:
        """By its whole name or id; docker itself takes the beginning of an id, too."""
        found = await self.containers([name])
        return next((each for each in found if name in (each.id, each.name[1:])), None)

    async def containers(self, names: Sequence[str]) -> list[Container]:
        """The existing ones."""
        found: list[Container] = []
        for start in range(0, len(names), AT_A_TIME):
            some = names[start : start + AT_A_TIME]
            found += await self._inspect(list[Container], "container", "inspect", "--", *some)
        return found

    async def network(self, name: str) -> Network | None:
        found = await self._inspect(list[Network], "network", "inspect", "--", name)
        return next(iter(found), None)

    async def _inspect(self, kind: type[T], *arguments: str) -> T:
        """Leaves out what does not exist, for which docker also reports an error."""
        result = await self.try_run(*arguments)
        if result.code != 0 and not isinstance(error := cli_error(result), NotThere):
            raise error
        try:
            return msgspec.json.decode(result.out, type=kind)
        except msgspec.DecodeError as error:
            raise unavailable("its CLI printed no JSON") from error


def open_docker_cli(folder: Path, *, environ: Mapping[str, str], path: str = "docker") -> DockerCli:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    passed_on = {name: environ[name] for name in PASSED_ON if name in environ}
    return DockerCli(Program(path, environ=passed_on, folder=folder))
