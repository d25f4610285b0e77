"""Single requests to a gateway, and the latency of each."""

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

import aiosqlite
import msgspec

from gateway.domain.kernel.answers import Accepted, Answer
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.read_set import Command
from gateway.ledger import wall_clock
from gateway.loops.reconcile import Reconciler
from gateway.store.sqlite.store import sqlite_reads
from gateway.wire import launcher as wire
from gateway.wire.times import rfc3339
from tests.benchmarks.connection import Connection, connected, ready, request
from tests.benchmarks.load import claim, give_up, new_task
from tests.benchmarks.servers import Server, gateway

PAGE: Final = 20
DAY: Final = 86_400_000
SAMPLED: Final = 200
"""Tasks of every age that are asked for in turn."""


@dataclass(frozen=True, kw_only=True)
class MeasuredGateway:
    """A gateway on a file, and who asks it."""

    server: Server
    connection: Connection
    reconciler: Reconciler
    tasks: Iterator[str]
    newest: int
    """The number of the newest event it was opened with."""

    async def ask(self, message: bytes, expected: int = 200) -> tuple[float, bytes]:
        """The seconds until the answer was there, and the answer."""
        began = time.perf_counter()
        body = await self.connection.ask(message, expected)
        return time.perf_counter() - began, body

    async def get(self, path: str) -> float:
        """The seconds of a read."""
        authorization = {"authorization": f"Bearer {self.server.tasks_key}"}
        seconds, _ = await self.ask(request("GET", path, b"", authorization))
        return seconds


Operation = Callable[[MeasuredGateway], Awaitable[float]]
"""The seconds it took once."""


@asynccontextmanager
async def measured(folder: Path) -> AsyncIterator[MeasuredGateway]:
    """A gateway on the file in `folder`."""
    uri = f"{(folder / 'slipgate.db').as_uri()}?mode=ro"
    with gateway(folder) as server:
        await ready(server.port)
        async with (
            connected(server.port, 1) as (connection,),
            aiosqlite.connect(uri, uri=True, isolation_level=None) as reader,
        ):
            yield MeasuredGateway(
                server=server,
                connection=connection,
                reconciler=Reconciler(sqlite_reads(reader), _accept, wall_clock),
                tasks=cycle(await _sample(reader)),
                newest=await _number(reader, "SELECT seq FROM ledger"),
            )


async def _accept(_: Command) -> Answer:
    """The file is the gateway's; a step with nothing due has only its pulse to write."""
    return Accepted()


async def _sample(reader: aiosqlite.Connection) -> list[str]:
    oldest = await _number(reader, "SELECT created_at FROM tasks ORDER BY id LIMIT 1")
    newest = await _number(reader, "SELECT created_at FROM tasks ORDER BY id DESC LIMIT 1")
    seeded = random.Random(7)
    found = []
    for _ in range(SAMPLED):
        behind = typeid("task", seeded.randint(oldest, newest), 0)
        # The plus keeps SQLite off the index of lists, which it would read and sort as a whole.
        sought = "SELECT id FROM tasks WHERE id < ? AND +project = 'default' ORDER BY id DESC"
        found += [row[0] for row in await reader.execute_fetchall(f"{sought} LIMIT 1", (behind,))]
    return found


async def _number(reader: aiosqlite.Connection, statement: str) -> int:
    ((number,),) = await reader.execute_fetchall(statement)
    return int(number)


async def _accept_task(measured: MeasuredGateway) -> float:
    seconds, _ = await measured.ask(new_task(measured.server), 202)
    return seconds


async def _claim(measured: MeasuredGateway) -> float:
    await measured.ask(new_task(measured.server), 202)
    seconds, body = await measured.ask(claim(measured.server, 1))
    for job in msgspec.json.decode(body, type=wire.Jobs).jobs:
        await measured.ask(give_up(measured.server, job))
    return seconds


async def _claim_in_vain(measured: MeasuredGateway) -> float:
    seconds, _ = await measured.ask(claim(measured.server, 1))
    return seconds


async def _reconcile(measured: MeasuredGateway) -> float:
    began = time.perf_counter()
    await measured.reconciler.step()
    return time.perf_counter() - began


def _list(query: str = "", *, page: int = PAGE) -> Operation:
    return lambda measured: measured.get(f"/v1/tasks?limit={page}{query}")


async def _in_five_days(measured: MeasuredGateway) -> float:
    first, last = (rfc3339(wall_clock() - days * DAY) for days in (15, 10))
    return await measured.get(f"/v1/tasks?limit={PAGE}&createdAfter={first}&createdBefore={last}")


def _of_task(what: str = "") -> Operation:
    return lambda measured: measured.get(f"/v1/tasks/{next(measured.tasks)}{what}")


OPERATIONS: Final[dict[str, Operation]] = {
    "accept": _accept_task,
    "claim": _claim,
    "claim, nothing to do": _claim_in_vain,
    "reconcile, nothing due": _reconcile,
    "show": _of_task(),
    "events of a task": _of_task("/events"),
    "logs": _of_task("/logs"),
    "list": _list(),
    "list, completed": _list("&status=completed"),
    "list, two states": _list("&status=failed,running"),
    "list, a state nobody is in": _list("&status=timed_out"),
    "list, of a user": _list("&metadata.userId=user-0000001"),
    "list, flagged": _list("&flag=any", page=5),
    "list, an error": _list("&errorCode=provider_auth"),
    "list, a repository": _list("&repoUrl=https://github.com/acme/widgets"),
    "list, five days": _in_five_days,
    "explain": _of_task("/explain"),
    "feed, the newest": lambda measured: measured.get(
        f"/v1/events?limit={PAGE}&after={measured.newest - 100}"
    ),
    "feed, from the beginning": lambda measured: measured.get(f"/v1/events?limit={PAGE}"),
    "feed, some types": lambda measured: measured.get(
        f"/v1/events?limit={PAGE}&types=task.completed"
    ),
}
