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
from launcher.providers.docker.archive import FileWindow, handed_over, rescue_order
from launcher.providers.docker.cli import Engine
from launcher.providers.docker.errors import (
    AlreadyThere,
    NotRunning,
    NotThere,
    complaint,
    not_runnable,
    unavailable,
)
from launcher.providers.docker.networks import Networks
from launcher.providers.docker.schema import INSTANCE_LABEL, SNAPSHOT_LABEL, Container
from launcher.providers.program import Ran
from launcher.providers.protocol import LOG_TAIL, Found, Key, Order, ProviderError, SpoolPiece
from launcher.providers.spool import ACKNOWLEDGED, SPOOL, read_window, start_of
from launcher.providers.variables import check_variables

CREATE_SECONDS: Final = 100.0
REMOVE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.5
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
        engine: Engine,
        *,
        realm: str,
        limits: Limits,
        images: Mapping[str, str],
        sleep: Sleep = asyncio.sleep,
        clock: Clock = time.monotonic,
    ) -> None:
        """`images`: snapshot → image; any other snapshot is the image of that name."""
        self.realm = realm
        self._engine = engine
        self._networks = Networks(engine)
        self._limits = limits
        self._images = images
        self._sleep = sleep
        self._clock = clock

    async def create(self, order: Order) -> Found:
        """The name is the idempotency key, and what is found under it is the answer."""
        name, image = _safe(order.key.name), self._image(order)
        check_variables(order.env)
        network = await self._networks.of(_safe(order.key.instance))
        ran = await self._engine.ran(
            "create",
            *self._arguments(order, network),
            "--",
            image,
            seconds=CREATE_SECONDS,
        )
        found = await self._engine.container(name)
        if found is None and ran.code == 0:
            raise unavailable("its CLI says that the container was made, and it is not there")
        try:
            if found is None:
                raise complaint(ran)
            return await self._adopted(order, found, ran)
        except ProviderError:
            self._networks.forget(network)
            raise

    async def find(self, key: Key) -> Found | None:
        """By id once it is known."""
        found = await self._look(key)
        return replace(found.found(), key=replace(key, id=found.id)) if found else None

    async def survey(self, instance: str) -> list[Found]:
        """Running or not."""
        only = f"--filter=label={INSTANCE_LABEL}={_safe(instance)}"
        listed = await self._engine.run("ps", "--all", "--no-trunc", "--quiet", only)
        return [each.found() for each in await self._engine.containers(listed.split())]

    async def ended(self) -> frozenset[Key]:
        """One list of those that have ended, by docker's own word."""
        shown = f'{{{{.Label "{INSTANCE_LABEL}"}}}} {{{{.Names}}}}'
        only = [f"--filter=status={status}" for status in ("exited", "dead")]
        only += [f"--filter=label={INSTANCE_LABEL}", f"--format={shown}"]
        listed = await self._engine.run("ps", "--all", *only)
        rows = (row.partition(" ") for row in listed.splitlines())
        return frozenset(Key(instance=instance, name=name) for instance, _, name in rows)

    async def read_spool(self, key: Key, offset: int) -> SpoolPiece:
        """Whatever state it is in."""
        found = await self._look(key)
        if found is None or found.is_unstarted:
            return SpoolPiece(lines=(), offset=offset, has_more=False, skipped=0)
        return await self._copied(found, offset)

    async def read_log(self, key: Key) -> str:
        """What its agent printed, and at the end why docker ended it."""
        found = await self._look(key)
        if found is None:
            return ""
        if found.state.error:
            return found.state.error[-LOG_TAIL:]
        ran = await self._engine.ran("logs", f"--tail={_LOG_LINES}", found.id)
        printed = f"{ran.out}{ran.err}" if ran.code == 0 else ""
        if found.state.is_out_of_memory:
            printed = f"{printed.rstrip()}\nout of memory: its limit is {self._limits.memory}"
        return printed[-LOG_TAIL:]

    async def stop(self, key: Key) -> None:
        """Ends all that runs in it, and keeps its files."""
        found = await self._look(key)
        if found is None or not found.is_running:
            return
        with contextlib.suppress(NotThere, NotRunning):
            await self._engine.run(
                "stop", "-t", str(STOP_SECONDS), found.id, seconds=STOP_SECONDS + 30
            )

    async def rescue(self, key: Key) -> AsyncGenerator[bytes, None]:
        """Started once more, with the word that it is to print what lies there: a container that
        has ended runs nothing, and what an agent left is not for this host to open."""
        found = await self._look(key)
        if found is None or found.is_unstarted or found.is_running:
            return
        await self._put(found, rescue_order())
        async for line in self._engine.lines("start", "--attach", found.id):
            yield line
        await self.stop(key)

    async def remove(self, key: Key) -> None:
        """Until it is not found any more."""
        found = await self._look(key)
        give_up = self._clock() + REMOVE_SECONDS
        while found is not None:
            with contextlib.suppress(NotThere, AlreadyThere):  # gone, or going
                await self._engine.run("rm", "--force", "--volumes", found.id)
            status = found.state.status
            found = await self._engine.container(found.id)
            if found is not None:
                if self._clock() > give_up:
                    raise unavailable(f"the container is still {status} after its removal")
                await self._sleep(LOOK_SECONDS)

    def _image(self, order: Order) -> str:
        """Never fetched: what runs is what somebody has put on this host."""
        if not order.snapshot:
            message = "the job names no snapshot, so there is no image to run. Name one in the task"
            raise ProviderError("snapshot_not_found", message, retryable=False)
        return self._images.get(order.snapshot, order.snapshot)

    def _arguments(self, order: Order, network: str) -> Iterator[str]:
        """Each with its value in one argument: nothing in a value can become an option. No socket,
        no mounts, no ports, no process beside the agent's; everything else that could be given is
        taken away."""
        yield from ("--pull=never", "--restart=no", "--log-driver=local")
        yield from ("--security-opt=no-new-privileges", "--cap-drop=ALL")
        yield from (f"--name={order.key.name}", f"--network={network}")
        memory = self._limits.memory
        yield from (f"--memory={memory}", f"--memory-swap={memory}", f"--cpus={self._limits.cpus}")
        yield from (f"--pids-limit={self._limits.pids}", f"--stop-timeout={STOP_SECONDS}")
        labels = {**order.labels, SNAPSHOT_LABEL: order.snapshot or ""}
        yield from (f"--label={name}={value}" for name, value in labels.items())
        yield f"--env=SLIPGATE_STATE_DIR={STATE}"

    async def _adopted(self, order: Order, found: Container, ran: Ran) -> Found:
        """Ours, and started: who made it may have died before that."""
        if not found.labels.items() >= order.labels.items():
            message = "another container has this name in docker"
            raise ProviderError("name_taken", message, retryable=False)
        key = replace(order.key, id=found.id)
        if found.is_unstarted:
            await self._put(found, handed_over(json.dumps(dict(order.env)).encode()))
            ran = await self._engine.ran("start", found.id)
            found = await self._engine.container(found.id) or found
        if found.is_unstarted:
            raise complaint(ran)
        if found.reported_state == "error":
            await self.remove(key)
            raise _not_started(found, ran)
        return replace(found.found(), key=key)

    async def _look(self, key: Key) -> Container | None:
        return await self._engine.container(_safe(key.id or key.name))

    async def _copied(self, found: Container, offset: int) -> SpoolPiece:
        noted = bytes((await self._file(found, ACKNOWLEDGED, 0, 20)).content).strip()
        acknowledged = int(noted) if noted.isdigit() else 0
        start = max(offset, acknowledged)
        file = await self._file(found, SPOOL, start, WINDOW_BYTES)
        if start > file.size > 0:
            start = start_of(offset, acknowledged, size=file.size)
            file = await self._file(found, SPOOL, start, WINDOW_BYTES)
        window = bytes(file.content)
        return read_window(window, start, is_cut=len(window) == WINDOW_BYTES)

    async def _file(self, found: Container, name: str, offset: int, limit: int) -> FileWindow:
        """A piece of a regular file in its state directory; empty if there is none. One that grows
        meanwhile comes as it was, and docker complains."""
        window = FileWindow(offset, limit)
        ran = await self._engine.ran("cp", f"{found.id}:{STATE}/{name}", "-", take=window.take)
        if ran.code != 0 and not window.is_over:
            error = complaint(ran)
            if not isinstance(error, NotThere):
                raise error
        return window

    async def _put(self, found: Container, archive: bytes) -> None:
        """Files for its state directory, as its own user's."""
        target = f"{found.id}:{Path(STATE).parent}"
        ran = await self._engine.ran("cp", "--archive", "-", target, told=archive)
        if ran.code != 0:
            raise complaint(ran)


def _not_started(found: Container, ran: Ran) -> ProviderError:
    reason = found.state.error or f"the container was {found.state.status}"
    if found.state.exit_code in (126, 127) or ran.code in (126, 127):
        return not_runnable(reason)
    return ProviderError("sandbox_error", f"docker: {reason}"[:500], retryable=True)


def _safe(name: str) -> str:
    """A name that docker takes, and that is no option."""
    if not _NAME.fullmatch(name):
        raise ProviderError("invalid_name", "the sandbox's name is not ours", retryable=False)
    return name
