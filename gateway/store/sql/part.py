"""Parts of a batch: the load and the write of each part of a unit of work."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.loading import BatchReadSet
from gateway.store.sql.connection import NO_PARAMS, Connection
from gateway.store.sql.rows import Columns, Params, Row


class Loading:
    """The load of a batch: the unit of work, and the tasks that its parts need."""

    def __init__(
        self, connection: Connection, unit: UnitOfWork, wanted: BatchReadSet, now: int
    ) -> None:
        self.unit = unit
        self.wanted = wanted
        self.now = now
        self.tasks = set(wanted.tasks)
        self._connection = connection

    async def all(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Iterable[Row]:
        """All rows."""
        return await self._connection.fetch(statement, params)

    async def of(self, statement: str, keys: Collection[Any], name: str = "ids") -> Iterable[Row]:
        """The rows of these keys; no query where there are none."""
        if not keys:
            return ()
        return await self.all(statement, {name: sorted(keys)})


Load = Callable[[Loading], Awaitable[None]]
Write = Callable[[UnitOfWork, int], Iterator[tuple[str, Sequence[Params]]]]
"""Statements with the parameters of each row, from the unit of work and the number of its first new
event."""


def changes(part: str, statement: str, columns: Columns[Any]) -> tuple[str, Write]:
    """The writer of a part whose changed rows are written as they are."""

    def write(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
        yield statement, [*map(columns.values, getattr(unit, part).changes)]

    return part, write
