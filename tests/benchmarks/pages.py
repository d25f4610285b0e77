"""The gateway's time for each page of the dashboard, on a file with a million tasks of one day."""

import hashlib
import re
import secrets
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import aiosqlite
import msgspec

from gateway.domain.kernel.keyring import Keyring
from gateway.ledger import wall_clock
from gateway.store.sql.reads import SQLReads
from gateway.store.sqlite.store import sqlite_reads
from gateway.web.dashboard.session import COOKIE, LIFETIME, Ticket, seal_ticket
from tests.benchmarks.connection import Connection, connected, ready, request
from tests.benchmarks.filling import fill
from tests.benchmarks.lives import ASKED, ENDPOINT
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.servers import MASTER, Server, gateway

MOST_MS: Final = 50
NONCE_BYTES: Final = 12
LIVE_FOR: Final = 60_000
"""Milliseconds."""
_CSRF: Final = re.compile(rb'name="csrf" value="([0-9a-f]+)"')
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    tasks: int = 1_000_000
    living: int = 10_000
    repositories: int = 50
    samples: int = 7
    """Of each page."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds of each page, and of each read that pages keep for a while."""

    pages: dict[str, tuple[float, ...]]


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody who is logged in, with names of things to look at."""

    connection: Connection
    cookie: str
    csrf: str
    task: str
    delivery: str

    async def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        headers = {"cookie": self.cookie, "content-type": _FORM}
        return await self.connection.ask(request(method, path, body, headers), 200)

    async def count(self, action: str, **wanted: str) -> None:
        """The dry run of a bulk action."""
        form = {"csrf": self.csrf, "action": action, "reason": "measured", **wanted}
        await self.ask("POST", "/dashboard/bulk/preview", urlencode(form).encode())


Page = Callable[[Visitor], Awaitable[object]]


def _page(path: str) -> Page:
    return lambda visitor: visitor.ask(
        "GET", f"/dashboard{path}".format(task=visitor.task, delivery=visitor.delivery)
    )


def _tasks(**wanted: str) -> Page:
    named = {name.replace("__", "."): text for name, text in wanted.items()}
    return _page(f"/tasks?{urlencode(named)}")


PAGES: Final[dict[str, Page]] = {
    "now": _page(""),
    "tasks": _page("/tasks"),
    "tasks, living": _tasks(status="queued,launching,running"),
    "tasks, completed": _tasks(status="completed"),
    "tasks, failed": _tasks(status="failed,timed_out,expired"),
    "tasks, a state nobody is in": _tasks(status="timed_out"),
    "tasks, flagged": _tasks(flag="any"),
    "tasks, a flag nobody has": _tasks(flag="unreachable"),
    "tasks, an error": _tasks(errorCode="provider_auth"),
    "tasks, an error nobody has": _tasks(errorCode="git_auth"),
    "tasks, a common repository": _tasks(repoUrl=ASKED.repo_url),
    "tasks, a repository nobody has": _tasks(repoUrl="https://github.com/acme/nothing"),
    "tasks, failed in a repository": _tasks(
        status="failed", repoUrl="https://github.com/acme/nothing"
    ),
    "tasks, of a user": _tasks(metadata__userId="user-0000001"),
    "tasks, of a plan and an error": _tasks(metadata__plan="pro", errorCode="provider_auth"),
    "tasks, a provider nobody has": _tasks(provider="daytona-api"),
    "tasks, a snapshot nobody has": _tasks(snapshot="other"),
    "tasks, a launcher nobody knows": _tasks(launcherId="other"),
    "tasks, of one hour": _tasks(
        createdAfter="2020-01-01T00:00:00Z", createdBefore="2020-01-01T01:00:00Z"
    ),
    "task": _page("/tasks/{task}"),
    "task, log": _page("/tasks/{task}?tab=log"),
    "task, request": _page("/tasks/{task}?tab=request"),
    "task, deliveries": _page("/tasks/{task}?tab=deliveries"),
    "bulk": _page("/bulk"),
    "launchers": _page("/launchers"),
    "endpoints": _page("/endpoints"),
    "endpoint": _page(f"/endpoints/{ENDPOINT}"),
    "deliveries": _page("/deliveries"),
    "deliveries, dead": _page("/deliveries?status=dead"),
    "deliveries, pending": _page("/deliveries?status=pending"),
    "deliveries, delivered": _page("/deliveries?status=delivered"),
    "deliveries, of an endpoint, superseded": _page(
        f"/deliveries?endpointId={ENDPOINT}&status=superseded"
    ),
    "deliveries, of a task": _page("/deliveries?taskId={task}"),
    "delivery": _page("/deliveries/{delivery}"),
    "access": _page("/access"),
    "access, an actor": _page("/access?actor=cli"),
    "health": _page("/health"),
    "count, an error": lambda visitor: visitor.count("retry", errorCode="provider_auth"),
    "count, too many": lambda visitor: visitor.count("retry", status="failed"),
    "count, a repository": lambda visitor: visitor.count("retry", repoUrl=ASKED.repo_url),
    "count, queued": lambda visitor: visitor.count("cancel", status="queued"),
}
READS: Final[dict[str, Callable[[SQLReads], Awaitable[object]]]] = {
    "read, history": lambda reads: reads.history(None, wall_clock()),
    "read, history of a project": lambda reads: reads.history("default", wall_clock()),
    "read, gauges": lambda reads: reads.gauges(now=wall_clock(), since=wall_clock() - LIVE_FOR),
    "read, status": lambda reads: reads.status_facts(
        None, now=wall_clock(), launchers_since=wall_clock() - LIVE_FOR
    ),
    "read, status of a project": lambda reads: reads.status_facts(
        "default", now=wall_clock(), launchers_since=wall_clock() - LIVE_FOR
    ),
}
"""Reads that pages keep for a while: the page that comes first pays for them."""


async def section(size: Size) -> Section:
    """Fills a file, and looks at every page."""
    with tempfile.TemporaryDirectory(prefix="slipgate-bench-") as made:
        path = Path(made) / "slipgate.db"
        await fill(path, size.tasks, living=size.living, days=1, repositories=size.repositories)
        measured = await measure(path, size.samples)
    return Section(
        name=f"pages with {size.tasks:,} tasks of one day",
        note=f"{size.living:,} of them living; the gateway's CPU time for each, the median of "
        f"{size.samples}, one at a time.",
        results=tuple(
            Figure(name=name, value=statistics.median(times), unit="ms", most=MOST_MS)
            for name, times in measured.pages.items()
        ),
        measured=measured,
    )


async def measure(path: Path, samples: int) -> Measured:
    """Looks at every page of a gateway on this file, whose name is `slipgate.db`."""
    with gateway(path.parent) as server:
        await ready(server.port)
        async with _visiting(server, path) as (visitor, reads):
            pages = {
                name: await _times(partial(page, visitor), samples, server.cpu_seconds)
                for name, page in PAGES.items()
            }
            pages |= {
                name: await _times(partial(read, reads), samples, time.process_time)
                for name, read in READS.items()
            }
    return Measured(pages=pages)


async def _times(
    look: Callable[[], Awaitable[object]], samples: int, spent: Callable[[], float]
) -> tuple[float, ...]:
    times = []
    for _ in range(samples):
        began = spent()
        await look()
        times.append((spent() - began) * 1000)
    return tuple(times)


@asynccontextmanager
async def _visiting(server: Server, path: Path) -> AsyncIterator[tuple[Visitor, SQLReads]]:
    digest = hashlib.sha256(server.ops_key.encode()).digest()
    ticket = Ticket(digest, wall_clock() + LIFETIME)
    nonce = secrets.token_bytes(NONCE_BYTES)
    cookie = seal_ticket(Keyring({"k1": MASTER}), "session", ticket, nonce)
    async with (
        connected(server.port, 1) as (connection,),
        aiosqlite.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None) as reader,
    ):
        (task,) = await reader.execute_fetchall(
            "SELECT id FROM tasks WHERE status = 'completed' ORDER BY id DESC LIMIT 1"
        )
        (sent,) = await reader.execute_fetchall(
            "SELECT endpoint_id, seq FROM deliveries ORDER BY seq DESC LIMIT 1"
        )
        visitor = Visitor(
            connection=connection,
            cookie=f"{COOKIE}={cookie}",
            csrf="",
            task=task[0],
            delivery=f"dlv_{sent[0].removeprefix('ep_')}-{sent[1]}",
        )
        (csrf, *_) = _CSRF.findall(await visitor.ask("GET", "/dashboard/health"))
        yield replace(visitor, csrf=csrf.decode()), sqlite_reads(reader)
