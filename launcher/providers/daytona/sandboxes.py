"""Sandboxes of one organisation of Daytona, by whichever way they are reached."""

import asyncio
import re
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from launcher.client import Clock, Sleep
from launcher.providers.daytona.gone import until_gone
from launcher.providers.daytona.remote_commands import (
    RESCUE_SECONDS,
    STOP_SECONDS,
    parse_window,
    read_rescued_command,
    read_spool,
    rescue_command,
    spool_command,
    stop_command,
)
from launcher.providers.daytona.schema import Sandbox, Snapshot
from launcher.providers.protocol import (
    LOG_TAIL,
    Key,
    ProviderError,
    SandboxSpec,
    SandboxStatus,
    SpoolPiece,
)

EXECUTE_SECONDS: Final = max(15, STOP_SECONDS + 3)
"""An old daemon ends a command without a limit after 10 s, a newer one never."""
_LOG: Final = (
    f"sh -c 'tail -c {LOG_TAIL} $HOME/.daytona/sessions/entrypoint/entrypoint_command/output.log "
    "2>/dev/null; exit 0'"
)
"""Where the daemon keeps what the entrypoint prints, however much that is."""
_STREAMS: Final = re.compile("\x01{1,3}|\x02{1,3}")
"""Before each piece of a log the daemon writes which stream it came from."""
STOPPED_MINUTES: Final = 24 * 60
"""A stopped sandbox is deleted by Daytona after so long, if nobody else does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateOptions:
    """What a create asks for beside what the job says."""

    target: str | None = None
    """A region; None: the organisation's own."""
    ttl_minutes: int | None = None
    """From creation to the end in any state, the backstop behind everything else; None: it is not
    asked for."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variable → the name of a Daytona Secret that is to stand for it."""


class Sandboxes(ABC):
    """What does not depend on the way: finding, reading, stopping and removing them."""

    def __init__(
        self,
        *,
        realm: str,
        options: CreateOptions,
        sleep: Sleep = asyncio.sleep,
        clock: Clock = time.monotonic,
    ) -> None:
        self.realm = realm
        self._options = options
        self._sleep = sleep
        self._clock = clock
        self._names: dict[str, frozenset[str]] = {}
        """Snapshots as they were asked for, with their id and name."""

    async def find(self, key: Key) -> SandboxStatus | None:
        """By id once it is known: a name is free before its sandbox is gone."""
        found = await self._fetch(key.id or key.name)
        if found is None:
            return None
        try:
            return await self._described(found, key)
        except ProviderError:
            # To be found, and destroyed, it need not be known what it was made from.
            return replace(found.found(), key=replace(key, id=found.id), snapshot=None)

    async def read_spool(self, key: Key, offset: int) -> SpoolPiece:
        """A sandbox that is not started shows nothing: its spool cannot be read without running
        its agent again."""
        found = await self._fetch(key.id or key.name)
        if found is None or found.reported_state != "started":
            return SpoolPiece(lines=(), offset=offset, has_more=False, skipped=0)
        return await self._spool(found, offset)

    async def read_log(self, key: Key) -> str:
        """What the entrypoint printed; nothing of a sandbox that is not started."""
        found = await self._fetch(key.id or key.name)
        if found is None or found.reported_state != "started":
            return ""
        return _STREAMS.sub("", await self._execute(found, _LOG))[-LOG_TAIL:]

    async def stop(self, key: Key) -> None:
        """Ends the agent, not the sandbox: a stopped one would no longer show its spool."""
        found = await self._fetch(key.id or key.name)
        if found is not None and found.reported_state == "started":
            await self._execute(found, stop_command())

    async def rescue(self, key: Key) -> AsyncGenerator[bytes, None]:
        """The lines that `agent-runner.py --rescue` prints there, after `stop`.

        They come in windows of a file, for an answer of Daytona is one string. A sandbox that is
        not started is left alone: Daytona can start one only by running its entrypoint, and with it
        the agent, again.
        """
        found = await self._fetch(key.id or key.name)
        if found is None or found.reported_state != "started":
            return
        await self._execute(found, rescue_command(), seconds=RESCUE_SECONDS)
        offset, rest = 0, b""
        while window := parse_window(await self._execute(found, read_rescued_command(offset))):
            offset += len(window)
            *lines, rest = (rest + window).split(b"\n")
            for line in lines:
                yield line

    async def remove(self, key: Key) -> None:
        """Until it is not found any more."""
        found = await self._fetch(key.id or key.name)
        if found is not None:
            await until_gone(
                found,
                look=self._fetch,
                delete=self._delete,
                clock=self._clock,
                sleep=self._sleep,
            )

    async def _described(self, sandbox: Sandbox, key: Key) -> SandboxStatus:
        """With the snapshot in the job's own words, if it is the one the job names."""
        found = replace(sandbox.found(), key=replace(key, id=sandbox.id))
        if key.snapshot and await self._is_made_from(key.snapshot, sandbox.snapshot):
            return replace(found, snapshot=key.snapshot)
        return found

    async def _is_made_from(self, asked: str, made_from: str | None) -> bool:
        """Whether both words mean one snapshot: it may be asked for by its id, and a sandbox tells
        its name. Neither ever changes."""
        if made_from is None or made_from == asked:
            return made_from == asked
        if asked not in self._names:
            snapshot = await self._snapshot(asked)
            self._names[asked] = (
                frozenset((snapshot.id, snapshot.name)) if snapshot else frozenset()
            )
        return made_from in self._names[asked]

    async def _spool(self, sandbox: Sandbox, offset: int) -> SpoolPiece:
        return read_spool(await self._execute(sandbox, spool_command(offset)))

    @abstractmethod
    async def _snapshot(self, id_or_name: str) -> Snapshot | None:
        """The snapshot with this id or name."""

    @abstractmethod
    async def _fetch(self, name: str) -> Sandbox | None:
        """The sandbox with this id or name."""

    @abstractmethod
    async def _delete(self, name: str) -> None:
        """Asks for its deletion; that it is gone, or changing already, is no failure."""

    @abstractmethod
    async def _execute(
        self, sandbox: Sandbox, command: str, *, seconds: int = EXECUTE_SECONDS
    ) -> str:
        """What a command in it printed; Daytona ends it after `seconds`."""


def check_owner(spec: SandboxSpec, found: Sandbox) -> Sandbox:
    """What has the name that was ordered, if it is what was ordered.

    Raises:
        ProviderError: somebody else's has it.
    """
    if not found.labels.items() >= spec.labels.items():
        message = "another sandbox has this name in Daytona"
        raise ProviderError("name_taken", message, retryable=False)
    return found
