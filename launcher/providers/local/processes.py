"""Finds and ends the processes of a local sandbox."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final

import msgspec

from launcher.client import Clock, Sleep
from launcher.providers.local.supervisor import birth

POLL_SECONDS: Final = 0.05
GRACE_SECONDS: Final = 10.0
"""From SIGTERM to SIGKILL."""
KILL_SECONDS: Final = 10.0
"""A process that survives SIGKILL longer hangs in the kernel."""


class Supervisor(msgspec.Struct, frozen=True, kw_only=True):
    """Record of a supervisor; its pid is also the session of all that it started."""

    pid: int
    birth: str | None

    def is_alive(self) -> bool:
        return _row(self.pid) is not None and self.birth == birth(self.pid)


class StillRunning(Exception):
    """SIGKILL did not end the processes in time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """Fields of /proc/<pid>/stat, see proc(5)."""

    parent: int
    session: int


def members(supervisor: Supervisor) -> set[int]:
    """Live processes of the session and all descendants, the supervisor included.

    The supervisor inherits orphans, so a process that left the session is found while it lives.
    """
    table = _table()
    if supervisor.pid in table and supervisor.birth != birth(supervisor.pid):
        return set()  # The number is another's now; the kernel gives it only to an empty session.
    if not _is_this_boot(supervisor):
        return set()
    found = {pid for pid, row in table.items() if row.session == supervisor.pid}
    while grown := {pid for pid, row in table.items() if row.parent in found} - found:
        found |= grown
    return found


async def end(
    supervisor: Supervisor,
    *,
    grace: float = GRACE_SECONDS,
    sleep: Sleep = asyncio.sleep,
    clock: Clock = time.monotonic,
) -> None:
    """SIGTERM to all, after `grace` seconds SIGKILL; raises `StillRunning`.

    The supervisor is ended last: it writes the exit code and inherits orphans.
    """
    start = clock()
    signalled: set[int] = set()
    while alive := members(supervisor):
        waited = clock() - start
        if waited > grace + KILL_SECONDS:
            raise StillRunning(f"{len(alive)} processes")
        others = alive - {supervisor.pid}
        if waited > grace:
            _signal(supervisor, others or alive, signal.SIGKILL)
        else:
            _signal(supervisor, others - signalled, signal.SIGTERM)
            signalled |= others
        await sleep(POLL_SECONDS)


def _signal(supervisor: Supervisor, pids: set[int], number: signal.Signals) -> None:
    """Opens each process before it checks it again: pids of an agent that forks again and again
    are soon those of other processes."""
    with ExitStack() as stack:
        opened = dict(_open(pids, stack))
        still = members(supervisor) if opened else set()
        for pid in opened.keys() & still:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(opened[pid], number)


def _open(pids: set[int], stack: ExitStack) -> Iterator[tuple[int, int]]:
    for pid in pids:
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            stack.callback(os.close, descriptor)
            yield pid, descriptor


def _is_this_boot(supervisor: Supervisor) -> bool:
    own = birth(os.getpid()) or ""
    return (supervisor.birth or "").partition(":")[0] == own.partition(":")[0]


def _table() -> dict[int, _Row]:
    """All processes but zombies."""
    return dict(_rows())


def _rows() -> Iterator[tuple[int, _Row]]:
    for entry in os.listdir("/proc"):  # noqa: PTH208 - hundreds of paths, again and again
        if entry.isdigit() and (row := _row(int(entry))):
            yield int(entry), row


def _row(pid: int) -> _Row | None:
    """None for a process that has ended, be it that nobody has waited for it yet."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - as above
            stat = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent, _group, session = stat.rpartition(b")")[2].split(maxsplit=4)[:4]
    return None if state in b"ZX" else _Row(parent=int(parent), session=int(session))
