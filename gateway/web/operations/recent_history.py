"""The history of each project, read at most once a minute: a day may hold a million tasks."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from gateway.domain.operations.history import History
from gateway.web.http.single_flight import Cached

KEEP: Final = 60_000
"""Milliseconds."""
MOST_PROJECTS: Final = 1_000


class RecentHistory:
    """Reads a project's history; None: of all projects."""

    def __init__(
        self,
        read: Callable[[str | None, int], Awaitable[History]],
        clock: Callable[[], int],
    ) -> None:
        self._read = read
        self._clock = clock
        self._cached: dict[str | None, Cached[History]] = {}

    async def of(self, project: str | None) -> History:
        if project not in self._cached:
            if len(self._cached) >= MOST_PROJECTS:
                self._cached.clear()
            read = partial(self._read_now, project)
            self._cached[project] = Cached(read, keep=KEEP, clock=self._clock)
        return await self._cached[project]()

    async def _read_now(self, project: str | None) -> History:
        return await self._read(project, self._clock())
