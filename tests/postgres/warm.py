"""Connections that one test has after the other: a new one is a new process of the server, which
reads the catalog and plans every statement anew; for a test of the web that takes 50 ms."""

import asyncio
from collections import defaultdict
from collections.abc import Collection
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from gateway.store.sql.rows import Row

_RESTING: Final[dict[str, list["WarmConnection"]]] = defaultdict(list)
"""By the URL: connections that were closed in the present test."""
_READY: Final[dict[str, list["WarmConnection"]]] = defaultdict(list)
"""Connections of earlier tests."""


class WarmConnection(AsyncConnection[Row]):
    """A connection that is kept for the next test when it is closed in good order."""

    url: str

    async def close(self) -> None:
        if self.pgconn.transaction_status == TransactionStatus.IDLE:
            _RESTING[self.url].append(self)
        else:
            await super().close()


async def connect(url: str, **options: Any) -> "AsyncConnection[Row]":
    """One that is kept, as if it were new; else a new one. In one test, what was closed is not
    seen again."""
    ready = _READY[url]
    while ready:
        connection = ready.pop()
        if not connection.closed:
            connection.lock = asyncio.Lock()  # the last one may belong to the loop of another test
            await connection.set_autocommit(options["autocommit"])
            return connection
    made = await WarmConnection.connect(url, **options)
    made.url = url
    return made


def rest(url: str) -> Collection[int]:
    """Gives what the test has closed to the next one: the ids of their processes."""
    _READY[url] += _RESTING.pop(url, [])
    return [connection.info.backend_pid for connection in _READY[url]]
