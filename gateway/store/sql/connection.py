"""Connections as both dialects have them: statements with parameters by name."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from gateway.store.sql.rows import Row

NO_PARAMS: Final[Mapping[str, Any]] = {}

Query = Callable[[str, Mapping[str, Any]], Awaitable[Iterable[Row]]]


def bound(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by name; lists and tuples become JSON, for `json_each`."""
    return {
        name: json.dumps(value) if isinstance(value, list | tuple) else value
        for name, value in params.items()
    }


class Connection(Protocol):
    """A connection to the database."""

    async def fetch(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Iterable[Row]:
        """All rows of a statement; lists among the parameters are bound as JSON.

        Raises:
            Unavailable: the database cannot be read just now.
        """


class Queries:
    """Reads on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def _all(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Iterable[Row]:
        return await self._connection.fetch(statement, params)

    async def _one(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Row | None:
        return next(iter(await self._all(statement, params)), None)
