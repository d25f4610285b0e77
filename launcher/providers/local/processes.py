"""The processes of a local sandbox: which ones they are, and how they are ended."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from launcher.client import Clock, Sleep
from launcher.providers.local.supervisor import birth

POLL_SECONDS = 0.05
GRACE_SECONDS = 10.0
"""From SIGTERM to SIGKILL."""
KILL_SECONDS = 10.0
"""A process that is still there so long after SIGKILL hangs in the kernel."""


class Supervisor(msgspec.Struct, frozen=True, kw_only=True):
    """The record a supervisor leaves; its pid is also the session of all it started."""

    pid: int
    birth: str | None

    def is_alive(self) -> bool:
        """Whether that very process still runs."""
        return self.pid in _table() and self.birth == birth(self.pid)


class StillRunning(Exception):
    """Processes that even SIGKILL did not end in time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """What matters of /proc/<pid>/stat, see proc(5)."""

    parent: int
    session: int


def members(supervisor: Supervisor) -> set[int]:
    """Live processes of a sandbox, its supervisor among them.

    Those of its session, and all descendants: the supervisor inherits abandoned ones, so a
    process that left the session is found as long as the supervisor lives.
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

    The supervisor comes last: it writes the exit code, and without it strays are not found.
    """
    start = clock()
    told: set[int] = set()
    while alive := members(supervisor):
        waited = clock() - start
        if waited > grace + KILL_SECONDS:
            raise StillRunning(f"{len(alive)} processes")
        others = alive - {supervisor.pid}
        if waited > grace:
            _signal(supervisor, others or alive, signal.SIGKILL)
        else:
            _signal(supervisor, others - told, signal.SIGTERM)
            told |= others
        await sleep(POLL_SECONDS)


def _signal(supervisor: Supervisor, pids: set[int], number: signal.Signals) -> None:
    """An agent that forks and ends again and again makes its numbers strangers' within moments:
    each process is held before it is looked at a second time, and then meant alone."""
    with ExitStack() as stack:
        held = dict(_held(pids, stack))
        for pid in held.keys() & members(supervisor):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(held[pid], number)


def _held(pids: set[int], stack: ExitStack) -> Iterator[tuple[int, int]]:
    for pid in pids:
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            stack.callback(os.close, descriptor)
            yield pid, descriptor


def _is_this_boot(supervisor: Supervisor) -> bool:
    check_owner = birth(os.getpid())
    return (supervisor.birth or "").partition(":")[0] == (check_owner or "").partition(":")[0]


def _table() -> dict[int, _Row]:
    """All processes but the dead that nobody has reaped yet."""
    return dict(_rows())


def _rows() -> Iterator[tuple[int, _Row]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent, _group, session = stat.rpartition(")")[2].split()[:4]
        if state not in "ZX":
            yield int(entry.name), _Row(parent=int(parent), session=int(session))
