"""Connections that one test has after the other: a new one is a new process of the server, which
reads the catalog and plans every statement anew; for a test of the web that takes 50 ms."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Collection
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from gateway.store.postgres.session_connection import OPTIONS
from gateway.store.sql.rows import Row

FORGET: Final = "SELECT pg_advisory_unlock_all(); UNLISTEN *; RESET idle_session_timeout"
"""The end of a session, on a connection that stays."""

_RESTING: Final[dict[str, list["WarmConnection"]]] = defaultdict(list)
"""By the URL: connections that were closed in the present test."""
_READY: Final[dict[str, list["WarmConnection"]]] = defaultdict(list)
"""Connections of earlier tests."""


class WarmConnection(AsyncConnection[Row]):
    """A connection that is kept for the next test when it is closed in good order."""

    url: str
    name: str
    """The application's, as it was asked for: a session is no connection of a pool."""

    async def close(self) -> None:
        if self.pgconn.transaction_status == TransactionStatus.IDLE and await self._is_forgotten():
            _RESTING[self.url].append(self)
        else:
            await super().close()

    async def _is_forgotten(self) -> bool:
        """True once nobody can see any more that there was a session."""
        if self.name == OPTIONS["application_name"]:
            with suppress(psycopg.Error):
                await self.execute(FORGET, prepare=False)
                self._notifies_backlog = deque()
                return True
            return False
        return True


async def connect(url: str, **options: Any) -> "AsyncConnection[Row]":
    """One that is kept, as if it were new; else a new one. In one test, what was closed is not
    seen again."""
    name = options["application_name"]
    for connection in [each for each in _READY[url] if each.name == name]:
        _READY[url].remove(connection)
        if not connection.closed:
            connection.lock = asyncio.Lock()  # the last one may belong to the loop of another test
            await connection.set_autocommit(options["autocommit"])
            return connection
    made = await WarmConnection.connect(url, **options)
    made.url, made.name = url, name
    return made


def rest(url: str) -> Collection[int]:
    """Gives what the test has closed to the next one: the ids of their processes."""
    _READY[url] += _RESTING.pop(url, [])
    return [connection.info.backend_pid for connection in _READY[url]]
