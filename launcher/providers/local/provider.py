"""`local`: agents as processes of this host, each in a directory of its own, without a sandbox."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Final

from gateway.wire.authorities import Authorities
from gateway.wire.secret_files import kept
from launcher.providers.local import directory as directories
from launcher.providers.local.directory import OUTPUT
from launcher.providers.local.processes import GRACE_SECONDS, StillRunning, Supervisor, end
from launcher.providers.local.supervisor import PROCESS
from launcher.providers.program import Program
from launcher.providers.protocol import (
    Key,
    ProviderError,
    SandboxSpec,
    SandboxStatus,
    SpoolPiece,
    unavailable,
)
from launcher.sandbox_env import check_variables

EXECUTION: Final = ("bash", str(Path(__file__).resolve().parents[3] / "snapshot" / "execution.sh"))
RUNNER: Final = Path(EXECUTION[1]).with_name("agent-runner.py")
SUPERVISOR: Final = Path(__file__).with_name("supervisor.py")


class LocalProvider:
    """Runs `program` in each sandbox; `grace` is seconds before SIGKILL; `hidden` are paths beside
    `state` that no command of an agent may read."""

    name = "local"

    def __init__(
        self,
        state: Path,
        *,
        environ: Mapping[str, str],
        realm: str | None = None,
        hidden: tuple[Path, ...] = (),
        program: tuple[str, ...] = EXECUTION,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self._state = state
        self._environ = environ
        self._hidden = os.pathsep.join(map(str, (state, *hidden)))
        self._program = program
        self._grace = grace
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.realm = realm or kept(state / "realm", lambda: uuid.uuid4().hex)

    async def create(self, spec: SandboxSpec) -> SandboxStatus:
        """Starts the agent once: a second call adopts the first one's record."""
        directory = self._directory(spec.key)
        directories.prepare(directory, spec)
        found = directories.read_status(directory, spec.key)
        if found is None or dict(found.labels) != dict(spec.labels):
            raise ProviderError("name_taken", "another sandbox has this name")
        if found.state == "creating":
            await self._start(directory, spec)
            found = directories.read_status(directory, spec.key) or found
        return found

    async def find(self, key: Key) -> SandboxStatus | None:
        return directories.read_status(self._directory(key), key)

    async def list_sandboxes(self, instance: str) -> list[SandboxStatus]:
        parent = self._state / directories.check_name(instance)
        names = sorted(path.name for path in parent.iterdir()) if parent.is_dir() else []
        keys = [Key(instance=instance, name=n) for n in names if directories.NAME.fullmatch(n)]
        return [found for key in keys if (found := await self.find(key))]

    async def ended(self) -> frozenset[Key]:
        return await asyncio.to_thread(directories.ended, self._state)

    async def read_spool(self, key: Key, offset: int) -> SpoolPiece:
        return await asyncio.to_thread(
            directories.read_piece, self._directory(key) / "state", offset
        )

    async def read_log(self, key: Key) -> str:
        return await asyncio.to_thread(directories.read_tail, self._directory(key))

    async def stop(self, key: Key) -> None:
        await self._end(self._directory(key))

    async def rescue(self, key: Key) -> AsyncGenerator[bytes, None]:
        """Runs in a process of its own, which trusts nothing in the state directory."""
        directory = self._directory(key)
        if not directory.is_dir():
            return
        environ = {**self._environment(), "PATH": self._environ.get("PATH", os.defpath)}
        runner = Program(sys.executable, environ=environ, folder=directory)
        arguments = ("-I", str(RUNNER), "--rescue", str(directory / "state"))
        async with contextlib.aclosing(runner.lines(*arguments)) as lines:
            async for line in lines:
                yield line

    async def remove(self, key: Key) -> None:
        directory = self._directory(key)
        await self._end(directory)
        for removed in directories.set_aside(directory):
            await self._end(removed)
            await asyncio.to_thread(directories.delete, removed)

    def _directory(self, key: Key) -> Path:
        return directories.locate(self._state, key)

    async def _start(self, directory: Path, spec: SandboxSpec) -> None:
        """Returns when the agent's process is on record. In a thread: a cancellation leaves no
        half-started process behind."""
        check_variables(spec.env)
        fixed = self._fixed(directory)
        variables = {name: value for name, value in spec.env.items() if name not in fixed}
        environment = {**self._environment(), **fixed}
        try:
            code = await asyncio.to_thread(
                _supervise, directory, self._program, environment, json.dumps(variables).encode()
            )
        except OSError as error:
            raise unavailable(f"cannot start a process: {error.strerror}") from error
        if code:
            raise unavailable("the agent's supervisor did not start")

    def _environment(self) -> dict[str, str]:
        """Of the launcher's own only the encoding and the certificate authorities; nothing secret,
        for /proc shows it to every process of the user."""
        trusted = Authorities.of_environ(self._environ).variables
        return {"LANG": self._environ.get("LANG", "C.UTF-8"), **trusted}

    def _fixed(self, directory: Path) -> dict[str, str]:
        """Variables that no job can set."""
        return {
            "PATH": self._environ.get("PATH", os.defpath),
            "HOME": str(directory / "home"),
            "SLIPGATE_STATE_DIR": str(directory / "state"),
            "SLIPGATE_HIDDEN": self._hidden,
            "SLIPGATE_PYTHON": sys.executable,
        }

    async def _end(self, directory: Path) -> None:
        """Ends the recorded processes until nobody holds the lock."""
        deadline = time.monotonic() + self._grace
        while True:
            if supervisor := directories.load_record(directory / PROCESS, Supervisor):
                await self._end_recorded(supervisor)
            if directories.is_unlocked(directory):
                return
            if time.monotonic() > deadline and not supervisor:
                raise unavailable("a supervisor starts and never says who it is")
            await asyncio.sleep(0.02)

    async def _end_recorded(self, supervisor: Supervisor) -> None:
        try:
            await end(supervisor, grace=self._grace)
        except StillRunning as error:
            raise unavailable(f"cannot end the sandbox: {error} still run") from error


def _supervise(
    directory: Path, program: tuple[str, ...], environment: dict[str, str], variables: bytes
) -> int:
    """The exit code of a supervisor that has gone into the background."""
    with (directory / OUTPUT).open("ab") as output:
        started = subprocess.run(
            [sys.executable, "-I", "-S", str(SUPERVISOR), str(directory), *program],
            cwd=directory / "home",
            env=environment,
            input=variables,
            stdout=output,
            stderr=output,
            check=False,
        )
    return started.returncode
