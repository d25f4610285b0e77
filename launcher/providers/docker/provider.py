"""`docker`: each sandbox a container of the launcher's docker daemon.

Files go in and come out by `docker cp`, whether the container runs or not: nothing of ours runs
beside the agent, and a last word is never lost. What an agent is handed over goes into the made
container before it is started, in a file that its entry removes: no container's settings show it.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from launcher.client import Clock, Sleep
from launcher.providers.daytona.remote_commands import STOP_SECONDS, WINDOW_BYTES
from launcher.providers.docker.archive import FileWindow, environment_archive, rescue_archive
from launcher.providers.docker.cli import DockerCli
from launcher.providers.docker.errors import (
    AlreadyThere,
    NotRunning,
    NotThere,
    cli_error,
    not_runnable,
    unavailable,
)
from launcher.providers.docker.networks import Networks
from launcher.providers.docker.schema import INSTANCE_LABEL, SNAPSHOT_LABEL, Container
from launcher.providers.program import CommandResult
from launcher.providers.protocol import (
    LOG_TAIL,
    Key,
    ProviderError,
    SandboxSpec,
    SandboxStatus,
    SpoolPiece,
)
from launcher.providers.spool import ACKNOWLEDGED, SPOOL, read_window, resume_offset
from launcher.sandbox_env import check_variables

CREATE_SECONDS: Final = 100.0
REMOVE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.5
STATE: Final = "/tmp/slipgate-state"  # noqa: S108 - in a container of its own
"""Where every sandbox has its spool: a stopped one can no longer be asked."""
_LOG_LINES: Final = 30
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one sandbox may take of the host, as `docker run` is told."""

    memory: str
    cpus: str
    pids: int


class Docker:
    """Containers of one daemon."""

    name = "docker"

    def __init__(
        self,
        cli: DockerCli,
        *,
        realm: str,
        limits: Limits,
        images: Mapping[str, str],
        sleep: Sleep = asyncio.sleep,
        clock: Clock = time.monotonic,
    ) -> None:
        """`images`: snapshot → image; any other snapshot is the image of that name."""
        self.realm = realm
        self._cli = cli
        self._networks = Networks(cli)
        self._limits = limits
        self._images = images
        self._sleep = sleep
        self._clock = clock

    async def create(self, spec: SandboxSpec) -> SandboxStatus:
        """The name is the idempotency key, and what is found under it is the answer."""
        name, image = _safe(spec.key.name), self._image(spec)
        check_variables(spec.env)
        network = await self._networks.of(_safe(spec.key.instance))
        result = await self._cli.try_run(
            "create",
            *self._arguments(spec, network),
            "--",
            image,
            seconds=CREATE_SECONDS,
        )
        found = await self._cli.container(name)
        if found is None and result.code == 0:
            raise unavailable("its CLI says that the container was made, and it is not there")
        try:
            if found is None:
                raise cli_error(result)
            return await self._adopted(spec, found, result)
        except ProviderError:
            self._networks.forget(network)
            raise

    async def find(self, key: Key) -> SandboxStatus | None:
        """By id once it is known."""
        found = await self._fetch(key)
        return replace(found.found(), key=replace(key, id=found.id)) if found else None

    async def list_sandboxes(self, instance: str) -> list[SandboxStatus]:
        """Running or not."""
        only = f"--filter=label={INSTANCE_LABEL}={_safe(instance)}"
        listed = await self._cli.run("ps", "--all", "--no-trunc", "--quiet", only)
        return [each.found() for each in await self._cli.containers(listed.split())]

    async def ended(self) -> frozenset[Key]:
        """One list of those that have ended, by docker's own word."""
        shown = f'{{{{.Label "{INSTANCE_LABEL}"}}}} {{{{.Names}}}}'
        only = [f"--filter=status={status}" for status in ("exited", "dead")]
        only += [f"--filter=label={INSTANCE_LABEL}", f"--format={shown}"]
        listed = await self._cli.run("ps", "--all", *only)
        rows = (row.partition(" ") for row in listed.splitlines())
        return frozenset(Key(instance=instance, name=name) for instance, _, name in rows)

    async def read_spool(self, key: Key, offset: int) -> SpoolPiece:
        """Whatever state it is in."""
        found = await self._fetch(key)
        if found is None or found.is_unstarted:
            return SpoolPiece(lines=(), offset=offset, has_more=False, skipped=0)
        return await self._copied(found, offset)

    async def read_log(self, key: Key) -> str:
        """What its agent printed, and at the end why docker ended it."""
        found = await self._fetch(key)
        if found is None:
            return ""
        if found.state.error:
            return found.state.error[-LOG_TAIL:]
        result = await self._cli.try_run("logs", f"--tail={_LOG_LINES}", found.id)
        printed = f"{result.out}{result.err}" if result.code == 0 else ""
        if found.state.is_out_of_memory:
            printed = f"{printed.rstrip()}\nout of memory: its limit is {self._limits.memory}"
        return printed[-LOG_TAIL:]

    async def stop(self, key: Key) -> None:
        """Ends all that runs in it, and keeps its files."""
        found = await self._fetch(key)
        if found is None or not found.is_running:
            return
        with contextlib.suppress(NotThere, NotRunning):
            await self._cli.run(
                "stop", "-t", str(STOP_SECONDS), found.id, seconds=STOP_SECONDS + 30
            )

    async def rescue(self, key: Key) -> AsyncGenerator[bytes, None]:
        """Started once more, with the word that it is to print what lies there: a container that
        has ended runs nothing, and what an agent left is not for this host to open."""
        found = await self._fetch(key)
        if found is None or found.is_unstarted or found.is_running:
            return
        await self._put(found, rescue_archive())
        async for line in self._cli.lines("start", "--attach", found.id):
            yield line
        await self.stop(key)

    async def remove(self, key: Key) -> None:
        """Until it is not found any more."""
        found = await self._fetch(key)
        deadline = self._clock() + REMOVE_SECONDS
        while found is not None:
            with contextlib.suppress(NotThere, AlreadyThere):  # gone, or going
                await self._cli.run("rm", "--force", "--volumes", found.id)
            status = found.state.status
            found = await self._cli.container(found.id)
            if found is not None:
                if self._clock() > deadline:
                    raise unavailable(f"the container is still {status} after its removal")
                await self._sleep(POLL_SECONDS)

    def _image(self, spec: SandboxSpec) -> str:
        """Never fetched: what runs is what somebody has put on this host."""
        if not spec.snapshot:
            message = "the job names no snapshot, so there is no image to run. Name one in the task"
            raise ProviderError("snapshot_not_found", message, retryable=False)
        return self._images.get(spec.snapshot, spec.snapshot)

    def _arguments(self, spec: SandboxSpec, network: str) -> Iterator[str]:
        """Each with its value in one argument: nothing in a value can become an option. No socket,
        no mounts, no ports, no process beside the agent's; everything else that could be given is
        taken away."""
        yield from ("--pull=never", "--restart=no", "--log-driver=local")
        yield from ("--security-opt=no-new-privileges", "--cap-drop=ALL")
        yield from (f"--name={spec.key.name}", f"--network={network}")
        memory = self._limits.memory
        yield from (f"--memory={memory}", f"--memory-swap={memory}", f"--cpus={self._limits.cpus}")
        yield from (f"--pids-limit={self._limits.pids}", f"--stop-timeout={STOP_SECONDS}")
        labels = {**spec.labels, SNAPSHOT_LABEL: spec.snapshot or ""}
        yield from (f"--label={name}={value}" for name, value in labels.items())
        yield f"--env=SLIPGATE_STATE_DIR={STATE}"

    async def _adopted(
        self, spec: SandboxSpec, found: Container, result: CommandResult
    ) -> SandboxStatus:
        """Ours, and started: who made it may have died before that."""
        if not found.labels.items() >= spec.labels.items():
            message = "another container has this name in docker"
            raise ProviderError("name_taken", message, retryable=False)
        key = replace(spec.key, id=found.id)
        if found.is_unstarted:
            await self._put(found, environment_archive(json.dumps(dict(spec.env)).encode()))
            result = await self._cli.try_run("start", found.id)
            found = await self._cli.container(found.id) or found
        if found.is_unstarted:
            raise cli_error(result)
        if found.reported_state == "error":
            await self.remove(key)
            raise _not_started(found, result)
        return replace(found.found(), key=key)

    async def _fetch(self, key: Key) -> Container | None:
        return await self._cli.container(_safe(key.id or key.name))

    async def _copied(self, found: Container, offset: int) -> SpoolPiece:
        noted = bytes((await self._file(found, ACKNOWLEDGED, 0, 20)).content).strip()
        acknowledged = int(noted) if noted.isdigit() else 0
        start = max(offset, acknowledged)
        file = await self._file(found, SPOOL, start, WINDOW_BYTES)
        if start > file.size > 0:
            start = resume_offset(offset, acknowledged, size=file.size)
            file = await self._file(found, SPOOL, start, WINDOW_BYTES)
        window = bytes(file.content)
        return read_window(window, start, is_cut=len(window) == WINDOW_BYTES)

    async def _file(self, found: Container, name: str, offset: int, limit: int) -> FileWindow:
        """A piece of a regular file in its state directory; empty if there is none. One that grows
        meanwhile comes as it was, and docker complains."""
        window = FileWindow(offset, limit)
        result = await self._cli.try_run("cp", f"{found.id}:{STATE}/{name}", "-", take=window.take)
        if result.code != 0 and not window.is_over:
            error = cli_error(result)
            if not isinstance(error, NotThere):
                raise error
        return window

    async def _put(self, found: Container, archive: bytes) -> None:
        """Files for its state directory, as its own user's."""
        target = f"{found.id}:{Path(STATE).parent}"
        result = await self._cli.try_run("cp", "--archive", "-", target, told=archive)
        if result.code != 0:
            raise cli_error(result)


def _not_started(found: Container, result: CommandResult) -> ProviderError:
    reason = found.state.error or f"the container was {found.state.status}"
    if found.state.exit_code in (126, 127) or result.code in (126, 127):
        return not_runnable(reason)
    return ProviderError("sandbox_error", f"docker: {reason}"[:500], retryable=True)


def _safe(name: str) -> str:
    """A name that docker takes, and that is no option."""
    if not _NAME.fullmatch(name):
        raise ProviderError("invalid_name", "the sandbox's name is not ours", retryable=False)
    return name
