"""The part of a Daytona provider that API and CLI share: find, read, stop and remove sandboxes."""

import asyncio
import re
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Final, Generic, TypeVar

from launcher.client import Clock, Sleep
from launcher.providers.daytona.errors import (
    is_about_ephemeral,
    is_about_lifespan,
    unavailable,
)
from launcher.providers.daytona.remote_commands import (
    LOG_COMMAND,
    RESCUE_COMMAND,
    RESCUE_SECONDS,
    STOP_COMMAND,
    parse_spool,
    parse_window,
    read_rescued_command,
    spool_command,
)
from launcher.providers.daytona.schema import Sandbox, Snapshot
from launcher.providers.protocol import (
    LOG_TAIL,
    STOP_SECONDS,
    Key,
    ProviderError,
    SandboxSpec,
    SandboxStatus,
    SpoolPiece,
)
from launcher.settings import CreateOptions

ClientT = TypeVar("ClientT")

EXECUTE_SECONDS: Final = max(15, STOP_SECONDS + 3)
"""A daemon before v0.155 ends a command without a limit after 6 minutes, a newer one never."""
START_SECONDS: Final = 60.0
"""Daytona itself gives a start up after 5 minutes."""
SETTLE_SECONDS: Final = 15.0
"""For a runner that has begun with its sandbox to take its lock, and to end."""
REMOVE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 1.0
_STREAMS: Final = re.compile("\x01{1,3}|\x02{1,3}")
"""The daemon marks the stream of each piece of a log."""
_END: Final = 10**12
"""Offset after the end of every spool, yet within a file system's bounds: asks for the process."""
STOPPED_MINUTES: Final = 24 * 60
"""Daytona deletes a stopped sandbox after this time."""


@dataclass
class Sandboxes(ABC, Generic[ClientT]):
    """Sandboxes of one organisation, reached by `client`."""

    client: ClientT
    _: KW_ONLY
    realm: str
    options: CreateOptions
    sleep: Sleep = asyncio.sleep
    clock: Clock = time.monotonic
    _names: dict[str, frozenset[str]] = field(default_factory=dict, init=False)
    """Snapshot as a job names it → its id and name."""
    _restarted: set[str] = field(default_factory=set, init=False)
    """Ids of stopped sandboxes that were started again to read them; still reported as stopped."""

    async def find(self, key: Key) -> SandboxStatus | None:
        found = await self._fetch(key)
        if found is None:
            return None
        try:
            status = await self._describe(found, key)
        except ProviderError:
            # Its snapshot need not be known to destroy it.
            status = replace(found.sandbox_status(), key=replace(key, id=found.id), snapshot=None)
        is_restarted = status.state == "started" and found.id in self._restarted
        return replace(status, state="stopped") if is_restarted else status

    async def read_spool(self, key: Key, offset: int) -> SpoolPiece:
        """Empty if the sandbox is neither started nor stopped."""
        found = await self._fetch_readable(key)
        if found is None:
            return SpoolPiece(offset=offset)
        return parse_spool(await self._execute(found, spool_command(offset)))

    async def read_log(self, key: Key) -> str:
        found = await self._fetch_started(key)
        if found is None:
            return ""
        return _STREAMS.sub("", await self._execute(found, LOG_COMMAND))[-LOG_TAIL:]

    async def stop(self, key: Key) -> None:
        """Ends the agent, not the sandbox: a stopped one does not show its spool."""
        if found := await self._fetch_readable(key):
            await self._execute(found, STOP_COMMAND)

    async def rescue(self, key: Key) -> AsyncGenerator[bytes, None]:
        """Reads the lines in windows of a file, for an answer of Daytona is one string."""
        found = await self._fetch_readable(key)
        if found is None:
            return
        await self._execute(found, RESCUE_COMMAND, seconds=RESCUE_SECONDS)
        offset, rest = 0, b""
        while window := parse_window(await self._execute(found, read_rescued_command(offset))):
            offset += len(window)
            *lines, rest = (rest + window).split(b"\n")
            for line in lines:
                yield line

    async def remove(self, key: Key) -> None:
        """Deletes until the id is not found: the name is free before the sandbox is gone."""
        found = await self._fetch(key)
        if found is not None:
            self._restarted.discard(found.id)
        deadline = self.clock() + REMOVE_SECONDS
        while found is not None and not found.is_gone:
            if found.state != "destroying":
                await self._delete(found.id)
            found = await self._fetch_by_name(found.id)
            if found is not None and not found.is_gone:
                if self.clock() > deadline:
                    raise unavailable(f"the sandbox is still {found.state} after its deletion")
                await self.sleep(POLL_SECONDS)

    async def _describe(self, sandbox: Sandbox, key: Key) -> SandboxStatus:
        """Names the snapshot as the job does, if it is the same one."""
        found = replace(sandbox.sandbox_status(), key=replace(key, id=sandbox.id))
        if key.snapshot and await self._is_made_from(key.snapshot, sandbox.snapshot):
            return replace(found, snapshot=key.snapshot)
        return found

    async def _is_made_from(self, asked: str, made_from: str | None) -> bool:
        """A job may name a snapshot by its id, and a sandbox shows its name; neither changes."""
        if made_from is None or made_from == asked:
            return made_from == asked
        if asked not in self._names:
            snapshot = await self._snapshot(asked)
            names = (snapshot.id, snapshot.name) if snapshot else ()
            self._names[asked] = frozenset(names)
        return made_from in self._names[asked]

    async def _fetch(self, key: Key) -> Sandbox | None:
        return await self._fetch_by_name(key.id or key.name)

    async def _fetch_started(self, key: Key) -> Sandbox | None:
        found = await self._fetch(key)
        return found if found is not None and found.reported_state == "started" else None

    async def _fetch_readable(self, key: Key) -> Sandbox | None:
        """A started sandbox; a stopped one, whose files are still there, is started again."""
        found = await self._fetch(key)
        if found is None or found.reported_state != "stopped":
            return found if found is not None and found.reported_state == "started" else None
        self._restarted.add(found.id)
        started = await self._start_again(found)
        await self._end_restarted(started)
        return started

    async def _start_again(self, sandbox: Sandbox) -> Sandbox:
        """The sandbox, once it is started; raises `ProviderError`."""
        deadline = self.clock() + START_SECONDS
        found: Sandbox | None = sandbox
        while found is not None and found.reported_state in ("stopped", "creating"):
            if self.clock() > deadline:
                break
            if found.is_at_rest:
                await self._start(found.id)
            else:
                await self.sleep(POLL_SECONDS)
            found = await self._fetch_by_name(sandbox.id)
        if found is None or found.reported_state != "started":
            state = found.state if found else "gone"
            message = f"the sandbox was stopped, and is {state} after it was started again"
            raise ProviderError("sandbox_stopped", message)
        return found

    async def _end_restarted(self, sandbox: Sandbox) -> None:
        """Ends the runner that Daytona runs again at each start, or waits until it has ended."""
        deadline = self.clock() + SETTLE_SECONDS
        while self.clock() < deadline:
            process = parse_spool(await self._execute(sandbox, spool_command(_END))).process
            if process is not None and process.state == "exited":
                return
            if process is not None and process.state == "running":
                await self._execute(sandbox, STOP_COMMAND)
            await self.sleep(POLL_SECONDS)

    def _limits(self) -> dict[str, int]:
        """Without auto-stop, which would end a busy agent: Daytona sees no activity inside."""
        limits = {"autoStopInterval": 0, "autoDeleteInterval": STOPPED_MINUTES}
        ttl = self.options.ttl_minutes
        return limits if ttl is None else {**limits, "ttlMinutes": ttl}

    @abstractmethod
    async def _fetch_by_name(self, id_or_name: str) -> Sandbox | None: ...

    @abstractmethod
    async def _snapshot(self, id_or_name: str) -> Snapshot | None: ...

    @abstractmethod
    async def _start(self, name: str) -> None:
        """Requests the start of a stopped sandbox; one that is changing is no error."""

    @abstractmethod
    async def _delete(self, name: str) -> None:
        """Requests a deletion; a sandbox that is gone, or changing, is no error."""

    @abstractmethod
    async def _execute(
        self, sandbox: Sandbox, command: str, *, seconds: int = EXECUTE_SECONDS
    ) -> str:
        """The output of a command, which Daytona ends after `seconds`."""


def relaxed(limits: Mapping[str, int], error: ProviderError) -> dict[str, int] | None:
    """The limits to request after this refusal of others; None: it is not about them."""
    if "ttlMinutes" in limits and is_about_lifespan(error):
        return {name: value for name, value in limits.items() if name != "ttlMinutes"}
    if limits["autoDeleteInterval"] and is_about_ephemeral(error):
        return {**limits, "autoDeleteInterval": 0}
    return None


def check_owner(spec: SandboxSpec, found: Sandbox) -> Sandbox:
    """The sandbox with the name of `spec`; raises `ProviderError` if its labels differ."""
    if not found.labels.items() >= spec.labels.items():
        raise ProviderError("name_taken", "another sandbox has this name in Daytona")
    return found
