"""`docker`: each sandbox is a container of the launcher's docker daemon.

`docker cp` copies files in and out, whether the container runs or not: nothing of ours runs beside
the agent, and its spool is never lost. The variables are copied in before the start, in a file that
the entry point removes: no container configuration shows them.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

from launcher.client import Clock, Sleep
from launcher.providers.docker.archive import FileWindow, state_archive
from launcher.providers.docker.cli import DockerCli
from launcher.providers.docker.errors import (
    NOT_RUNNABLE,
    AlreadyThere,
    NotRunning,
    NotThere,
    cli_error,
    not_runnable,
    unavailable,
)
from launcher.providers.docker.networks import Networks
from launcher.providers.docker.schema import SNAPSHOT_LABEL, Container
from launcher.providers.program import CommandResult
from launcher.providers.protocol import (
    INSTANCE_LABEL,
    LOG_TAIL,
    STOP_SECONDS,
    Key,
    ProviderError,
    SandboxSpec,
    SandboxStatus,
    SpoolPiece,
)
from launcher.providers.spool import ACKNOWLEDGED, SPOOL, WINDOW_BYTES, read_window, resume_offset
from launcher.sandbox_env import check_variables
from launcher.settings import DockerSettings

CREATE_SECONDS: Final = 100.0
REMOVE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.5
STATE: Final = "/tmp/slipgate-state"  # noqa: S108 - in a container of its own
"""The state directory of every sandbox."""
_LOG_LINES: Final = 30
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")


@dataclass
class Docker:
    """Containers of one daemon."""

    name: ClassVar = "docker"

    cli: DockerCli
    _: KW_ONLY
    realm: str
    settings: DockerSettings
    sleep: Sleep = asyncio.sleep
    clock: Clock = time.monotonic

    @cached_property
    def _networks(self) -> Networks:
        return Networks(self.cli)

    async def create(self, spec: SandboxSpec) -> SandboxStatus:
        """The name is the idempotency key: the container that has it is the result."""
        name, image = _check_name(spec.key.name), self._image(spec)
        check_variables(spec.env)
        network = await self._networks.of(_check_name(spec.key.instance))
        result = await self.cli.try_run(
            "create", *self._arguments(spec, network), "--", image, seconds=CREATE_SECONDS
        )
        found = await self.cli.container(name)
        if found is None and result.code == 0:
            raise unavailable("its CLI says that the container was made, and it is not there")
        try:
            if found is None:
                raise cli_error(result)
            return await self._adopt(spec, found, result)
        except ProviderError:
            self._networks.forget(network)
            raise

    async def find(self, key: Key) -> SandboxStatus | None:
        found = await self._fetch(key)
        return replace(found.sandbox_status(), key=replace(key, id=found.id)) if found else None

    async def list_sandboxes(self, instance: str) -> list[SandboxStatus]:
        only = f"--filter=label={INSTANCE_LABEL}={_check_name(instance)}"
        listed = await self.cli.run("ps", "--all", "--no-trunc", "--quiet", only)
        return [each.sandbox_status() for each in await self.cli.containers(listed.split())]

    async def ended(self) -> frozenset[Key]:
        shown = f'{{{{.Label "{INSTANCE_LABEL}"}}}} {{{{.Names}}}}'
        only = [f"--filter=status={status}" for status in ("exited", "dead")]
        only += [f"--filter=label={INSTANCE_LABEL}", f"--format={shown}"]
        listed = await self.cli.run("ps", "--all", *only)
        rows = (row.partition(" ") for row in listed.splitlines())
        return frozenset(Key(instance=instance, name=name) for instance, _, name in rows)

    async def read_spool(self, key: Key, offset: int) -> SpoolPiece:
        found = await self._fetch(key)
        if found is None or found.is_unstarted:
            return SpoolPiece(offset=offset)
        return await self._read_spool(found, offset)

    async def read_log(self, key: Key) -> str:
        """The output, and at its end the reason why docker ended the agent."""
        found = await self._fetch(key)
        if found is None:
            return ""
        if found.state.error:
            return found.state.error[-LOG_TAIL:]
        result = await self.cli.try_run("logs", f"--tail={_LOG_LINES}", found.id)
        printed = f"{result.out}{result.err}" if result.code == 0 else ""
        if found.state.is_out_of_memory:
            printed = f"{printed.rstrip()}\nout of memory: its limit is {self.settings.memory}"
        return printed[-LOG_TAIL:]

    async def stop(self, key: Key) -> None:
        found = await self._fetch(key)
        if found is None or not found.is_running:
            return
        with contextlib.suppress(NotThere, NotRunning):
            stop = ("stop", "-t", str(STOP_SECONDS), found.id)
            await self.cli.run(*stop, seconds=STOP_SECONDS + 30)

    async def rescue(self, key: Key) -> AsyncGenerator[bytes, None]:
        """Starts the container once more, marked to print the files: one that has ended runs no
        command, and this host must not open what an agent left."""
        found = await self._fetch(key)
        if found is None or found.is_unstarted or found.is_running:
            return
        await self._put(found, state_archive("rescue", b""))
        async for line in self.cli.lines("start", "--attach", found.id):
            yield line
        await self.stop(key)

    async def remove(self, key: Key) -> None:
        found = await self._fetch(key)
        deadline = self.clock() + REMOVE_SECONDS
        while found is not None:
            with contextlib.suppress(NotThere, AlreadyThere):  # gone, or going
                await self.cli.run("rm", "--force", "--volumes", found.id)
            status = found.state.status
            found = await self.cli.container(found.id)
            if found is not None:
                if self.clock() > deadline:
                    raise unavailable(f"the container is still {status} after its removal")
                await self.sleep(POLL_SECONDS)

    def _image(self, spec: SandboxSpec) -> str:
        """An image of this host: none is ever pulled."""
        if not spec.snapshot:
            message = "the job names no snapshot, so there is no image to run. Name one in the task"
            raise ProviderError("snapshot_not_found", message)
        return self.settings.images.get(spec.snapshot, spec.snapshot)

    def _arguments(self, spec: SandboxSpec, network: str) -> Iterator[str]:
        """Each value in the argument of its option, so that none can become an option. No socket,
        no mounts, no ports, no capabilities, no process beside the agent's."""
        yield from ("--pull=never", "--restart=no", "--log-driver=local")
        yield from ("--security-opt=no-new-privileges", "--cap-drop=ALL")
        yield from (f"--name={spec.key.name}", f"--network={network}")
        limits = self.settings
        yield from (f"--memory={limits.memory}", f"--memory-swap={limits.memory}")
        yield from (f"--cpus={limits.cpus}", f"--pids-limit={limits.pids}")
        yield f"--stop-timeout={STOP_SECONDS}"
        labels = {**spec.labels, SNAPSHOT_LABEL: spec.snapshot or ""}
        yield from (f"--label={name}={value}" for name, value in labels.items())
        yield f"--env=SLIPGATE_STATE_DIR={STATE}"

    async def _adopt(
        self, spec: SandboxSpec, found: Container, result: CommandResult
    ) -> SandboxStatus:
        """Starts it, if its creator died before that."""
        if not found.labels.items() >= spec.labels.items():
            raise ProviderError("name_taken", "another container has this name in docker")
        key = replace(spec.key, id=found.id)
        if found.is_unstarted:
            await self._put(found, _environment(spec.env))
            result = await self.cli.try_run("start", found.id)
            found = await self.cli.container(found.id) or found
        if found.is_unstarted:
            raise cli_error(result)
        if found.reported_state == "error":
            await self.remove(key)
            raise _not_started(found, result)
        return replace(found.sandbox_status(), key=key)

    async def _fetch(self, key: Key) -> Container | None:
        return await self.cli.container(_check_name(key.id or key.name))

    async def _read_spool(self, found: Container, offset: int) -> SpoolPiece:
        text = bytes((await self._file(found, ACKNOWLEDGED, 0, 20)).content).strip()
        acknowledged = int(text) if text.isdigit() else 0
        start = max(offset, acknowledged)
        file = await self._file(found, SPOOL, start, WINDOW_BYTES)
        if start > file.size > 0:
            start = resume_offset(offset, acknowledged, size=file.size)
            file = await self._file(found, SPOOL, start, WINDOW_BYTES)
        window = bytes(file.content)
        return read_window(window, start, is_cut=len(window) == WINDOW_BYTES)

    async def _file(self, found: Container, name: str, offset: int, limit: int) -> FileWindow:
        """A piece of a regular file in the state directory; empty if there is none. docker copies a
        growing file as it was, and reports an error."""
        window = FileWindow(offset, limit)
        result = await self.cli.try_run(
            "cp", f"{found.id}:{STATE}/{name}", "-", on_stdout=window.add
        )
        if result.code != 0 and not window.is_over:
            error = cli_error(result)
            if not isinstance(error, NotThere):
                raise error
        return window

    async def _put(self, found: Container, archive: bytes) -> None:
        """Copies files into the state directory, owned by its user."""
        target = f"{found.id}:{Path(STATE).parent}"
        result = await self.cli.try_run("cp", "--archive", "-", target, stdin=archive)
        if result.code != 0:
            raise cli_error(result)


def _not_started(found: Container, result: CommandResult) -> ProviderError:
    reason = found.state.error or f"the container was {found.state.status}"
    if found.state.exit_code in NOT_RUNNABLE or result.code in NOT_RUNNABLE:
        return not_runnable(reason)
    return ProviderError("sandbox_error", f"docker: {reason}"[:500], retryable=True)


def _environment(variables: Mapping[str, str]) -> bytes:
    """The file that the sandbox's entry point reads and removes."""
    return state_archive("environment.json", json.dumps(dict(variables)).encode())


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ProviderError("invalid_name", "the sandbox's name is not ours")
    return name
