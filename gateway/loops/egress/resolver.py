"""Names looked up in threads, of which every project has its share."""

import asyncio
import ipaddress
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

THREADS: Final = 64
"""Look-ups under way. A project may have as many as are left: one whose name servers do not answer
leaves half of them, the next one half of the rest."""

LookUp = Callable[[str, int], Sequence[str]]
"""The addresses of a host, in a thread; raises `OSError` or `ValueError`."""


def _look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Resolver:
    """Looks names up for many projects.

    A look-up cannot be stopped and may take minutes: it counts until its thread has ended, also
    when nobody waits for it any more. Threads of their own, for those of a pool are waited for
    when the process ends.
    """

    def __init__(self, look_up: LookUp = _look_up) -> None:
        self._look_up = look_up
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def __call__(self, host: str, port: int, project: str) -> Sequence[str]:
        """The addresses of a host.

        Raises:
            OSError: it has none.
            ValueError: it cannot have any.
        """
        if _is_address(host):
            return (host,)
        await self._turn(project)
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Sequence[str]] = loop.create_future()
        thread = threading.Thread(
            target=self._run, args=(loop, found, host, port, project), name="look-up", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as exc:
            self._leave(project)
            raise OSError("No thread can be started") from exc
        return await found

    async def _turn(self, project: str) -> None:
        """Until the project may have one more; it is counted then."""
        if self._has_thread(project):
            self._running[project] += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(project, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(project)
            raise

    def _has_thread(self, project: str) -> bool:
        return self._running[project] < THREADS - self._running.total()

    def _run(
        self,
        loop: asyncio.AbstractEventLoop,
        found: "asyncio.Future[Sequence[str]]",
        host: str,
        port: int,
        project: str,
    ) -> None:
        addresses: Sequence[str] = ()
        error: Exception | None = None
        try:
            addresses = self._look_up(host, port)
        except Exception as exc:  # noqa: BLE001 - whoever waits for the addresses gets it
            error = exc
        try:
            loop.call_soon_threadsafe(self._end, found, addresses, error, project)
        except RuntimeError:
            return  # the loop is closed: nobody is left who waits

    def _end(
        self,
        found: "asyncio.Future[Sequence[str]]",
        addresses: Sequence[str],
        error: Exception | None,
        project: str,
    ) -> None:
        if not found.done() and error is not None:
            found.set_exception(error)
        elif not found.done():
            found.set_result(addresses)
        self._leave(project)

    def _leave(self, project: str) -> None:
        """One less; who has waited longest goes on, and a project that had its turn comes last."""
        self._running[project] -= 1
        if not self._running[project]:
            del self._running[project]
        for name in tuple(self._waiting):
            if not self._has_thread(name):
                continue
            waiting = self._waiting.pop(name)
            while waiting:
                turn = waiting.popleft()
                if not turn.done():
                    self._running[name] += 1
                    turn.set_result(None)
                    break
            if waiting:
                self._waiting[name] = waiting


@lru_cache(maxsize=1024)
def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
