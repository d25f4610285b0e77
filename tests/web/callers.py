"""One gateway with keys for every scope, and the callers that knock at its door."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import httpx
import msgspec
from starlette.types import ASGIApp

from gateway.app import MAX_REQUESTS, opened
from gateway.domain.operations.api_key import ApiKey, key_digest
from gateway.domain.operations.key_commands import CreateKey
from gateway.ledger import wall_clock
from gateway.settings import read_settings
from gateway.store.administration import open_database, open_operator
from gateway.store.location import Location
from gateway.store.sql.rows import Row
from gateway.store.sqlite.store import BUSY_MS
from gateway.web.http.middleware import Application
from gateway.wire.signing import secret_bytes, sign
from tests.stores import NewDatabase
from tests.web.contract import Contract

Json = dict[str, Any]

SCOPES: Final = ("tasks", "read", "launcher", "ops")
KEYS: Final = {
    **{scope: f"slip_{scope}_{'a' * 43}" for scope in SCOPES},
    "other": f"slip_tasks_{'b' * 43}",
    "other launcher": f"slip_launcher_{'b' * 43}",
    "second launcher": f"slip_launcher_{'c' * 43}",
    "expired": f"slip_ops_{'e' * 43}",
    "every launcher": f"slip_launcher_{'d' * 43}",
}
MASTER: Final = base64.b64encode(b"m" * 32).decode()
PUBLIC_URL: Final = "https://gate.example"
TASK: Final[Json] = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Add /health"}
PROVIDER: Final = "local@here"


@dataclass(frozen=True, kw_only=True)
class Agent:
    """An agent inside a sandbox: it knows its environment, and nothing else."""

    http: httpx.AsyncClient
    env: Mapping[str, str]

    @property
    def key(self) -> bytes:
        """The key of the attempt."""
        return secret_bytes(self.env["SLIPGATE_WEBHOOK_SECRET"])

    def body(self, kind: str, **fields: object) -> bytes:
        """The body of one webhook."""
        data = {
            "taskId": self.env["SLIPGATE_TASK_ID"],
            "attempt": int(self.env["SLIPGATE_ATTEMPT"]),
            **fields,
        }
        stamp = "2026-01-01T00:00:00.000Z"
        return msgspec.json.encode({"type": kind, "timestamp": stamp, "data": data})

    def headers(self, body: bytes, name: str, *, at: int | None = None) -> dict[str, str]:
        """Standard Webhooks headers over the body; `at` in Unix seconds."""
        moment = int(time.time()) if at is None else at
        return {
            "webhook-id": name,
            "webhook-timestamp": str(moment),
            "webhook-signature": sign(self.key, name, moment, body),
            "content-type": "application/json",
        }

    async def emit(self, kind: str, name: str, **fields: object) -> httpx.Response:
        """One signed webhook."""
        return await self.send(self.body(kind, **fields), name)

    async def send(self, body: bytes, name: str, *, at: int | None = None) -> httpx.Response:
        """A body, signed."""
        return await self.http.post(
            "/v1/webhooks/agent", content=body, headers=self.headers(body, name, at=at)
        )


class GatewayHarness:
    """The gateway as it is seen from outside."""

    def __init__(
        self, app: ASGIApp, http: httpx.AsyncClient, keys: Mapping[str, str], contract: Contract
    ) -> None:
        self.app = app
        self.http = http
        self.contract = contract
        self._keys = keys

    def bearer(self, scope: str) -> dict[str, str]:
        """The header of this scope's key."""
        return {"authorization": f"Bearer {self._keys[scope]}"}

    async def get(self, path: str, scope: str = "tasks", **headers: str) -> httpx.Response:
        """A read."""
        return await self.http.get(path, headers=self.bearer(scope) | headers)

    async def post(
        self, path: str, body: object = None, scope: str = "tasks", **headers: str
    ) -> httpx.Response:
        """A change."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        content = b"" if body is None else msgspec.json.encode(body)
        sent = self.bearer(scope) | {"content-type": "application/json"} | given
        return await self.http.post(path, content=content, headers=sent)

    async def send(
        self, method: str, path: str, body: object = None, scope: str = "tasks"
    ) -> httpx.Response:
        """A change by another method than POST."""
        content = b"" if body is None else msgspec.json.encode(body)
        sent = self.bearer(scope) | {"content-type": "application/json"}
        return await self.http.request(method, path, content=content, headers=sent)

    async def create(self, scope: str = "tasks", /, **wanted: object) -> Json:
        """A task, accepted."""
        response = await self.post("/v1/tasks", TASK | wanted, scope=scope)
        assert response.status_code == 202, response.text
        task: Json = response.json()
        return task

    async def task(self, task_id: str) -> Json:
        """A task as it stands."""
        task: Json = (await self.get(f"/v1/tasks/{task_id}")).json()
        return task

    async def claim(self, scope: str = "launcher", /, **wanted: object) -> list[Json]:
        """The jobs a launcher gets."""
        claim = {"launcherId": "l1", "providers": [PROVIDER], "capacity": 4, **wanted}
        response = await self.post("/v1/launcher/claim", claim, scope=scope)
        assert response.status_code == 200, response.text
        jobs: list[Json] = response.json()["jobs"]
        return jobs

    async def report(
        self, job: Json, verb: str, scope: str = "launcher", /, **fields: object
    ) -> httpx.Response:
        """A launcher's report on its job."""
        body = {"leaseToken": job["leaseToken"], **fields}
        return await self.post(f"/v1/launcher/jobs/{job['id']}/{verb}", body, scope=scope)

    @contextmanager
    def limited_bulk(self, most: int, *, preview: int = 5_000) -> Iterator[None]:
        """A gateway with smaller limits of bulk actions, and of the count before one."""
        app = cast("Application", self.app)
        before = app.context
        app.context = replace(before, bulk_limit=most, preview_limit=preview)
        yield
        app.context = before

    async def try_sandbox(self, job: Json) -> httpx.Response:
        """Says `trying`."""
        return await self.report(
            job, "trying", provider="local", realm="here", name=job["sandbox"]["name"], **{"try": 1}
        )

    async def launch(self, **wanted: object) -> tuple[Json, Agent]:
        """A task whose sandbox is up, and the agent in it."""
        await self.create(**wanted)
        (job,) = await self.claim()
        assert (await self.try_sandbox(job)).status_code == 200
        done = await self.report(job, "done", sandbox=sandbox_of(job))
        assert done.status_code == 200, done.text
        return job, Agent(http=self.http, env=job["env"])


SILENT: Final = (
    'UPDATE tasks SET flags = \'[{"code":"silent","since":1}]\'',
    "INSERT INTO task_groups SELECT 'flag', 0, project, '', 'silent', 1, 1, id FROM tasks",
)
"""The statements that flag the only task."""


async def beside(database: NewDatabase, *statements: str) -> None:
    """Writes to the gateway's database as another process would. In a thread: a writer that holds
    the event loop waits for a lock that only the loop can give up."""
    await asyncio.to_thread(execute, database, *statements)


def execute(database: NewDatabase, *statements: str) -> None:
    """Writes to a database whose gateway does not."""
    with open_database(database.location) as opened_database, opened_database.transaction():
        for statement in statements:
            opened_database.write(statement, [()])


def rows_of(database: NewDatabase, statement: str) -> Sequence[Row]:
    """Reads of the gateway's database beside it."""
    with open_database(database.location) as opened_database:
        return opened_database.fetch(statement)


@asynccontextmanager
async def write_locked(database: NewDatabase) -> AsyncIterator[None]:
    """Another process is in the middle of a write."""
    ahead = ExitStack()

    def lock() -> None:
        other = ahead.enter_context(open_database(database.location))
        ahead.enter_context(other.transaction())

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as thread:
        await loop.run_in_executor(thread, lock)
        try:
            yield
        finally:
            await loop.run_in_executor(thread, ahead.close)


def sandbox_of(job: Json, state: str = "started") -> Json:
    """The sandbox of a job, as its provider describes it."""
    name = job["sandbox"]["name"]
    return {"id": f"id-{name}", "name": name, "provider": "local", "realm": "here", "state": state}


def line_of(agent: Agent, name: str, body: bytes, *, at: int | None = None) -> Json:
    """An event as the agent's spool keeps it."""
    headers = agent.headers(body, name, at=at)
    return {
        "id": name,
        "timestamp": int(headers["webhook-timestamp"]),
        "signature": headers["webhook-signature"],
        "body": base64.b64encode(body).decode(),
    }


@asynccontextmanager
async def open_gateway(
    database: NewDatabase,
    *,
    clock: Callable[[], int] = wall_clock,
    busy_ms: int = BUSY_MS,
    receivers: httpx.AsyncBaseTransport | None = None,
    max_requests: int = MAX_REQUESTS,
    **environ: str,
) -> AsyncIterator[GatewayHarness]:
    """A gateway on the database; `environ` adds to its settings, and what it sends goes
    to `receivers`. Every answer is held against the OpenAPI document."""
    keys = add_keys(database)
    settings = read_settings(
        {
            "SLIPGATE_SECRET_KEYS": f"k1:{MASTER}",
            "SLIPGATE_DATABASE_URL": database.url,
            "SLIPGATE_PUBLIC_URL": PUBLIC_URL,
            **environ,
        }
    )
    async with opened(
        settings,
        clock=clock,
        transport=receivers,
        max_requests=max_requests,
        open_store=lambda _, **opening: database.opened(busy_ms=busy_ms, **opening),
    ) as opened_gateway:
        transport = httpx.ASGITransport(opened_gateway.app, raise_app_exceptions=False)
        contract = Contract()
        async with httpx.AsyncClient(
            transport=transport, base_url=PUBLIC_URL, event_hooks={"response": [contract.hold]}
        ) as http:
            yield GatewayHarness(opened_gateway.app, http, keys, contract)


def add_keys(database: NewDatabase) -> dict[str, str]:
    """A key for each scope; `other` and `other launcher` of another project, `second launcher` of
    the same, and `every launcher` for all of them; `expired` is over; made once."""
    database.fill(_add_missing)
    return {**KEYS}


def _add_missing(location: Location) -> None:
    with open_operator(location) as operator:
        known = {row.id for row in operator.all_keys()}
        for number, (name, key) in enumerate(KEYS.items()):
            if f"key_{number}" in known:
                continue
            made = ApiKey(
                id=f"key_{number}",
                scope=key.split("_")[1],
                project="elsewhere" if name.startswith("other") else "default",
                name=name,
                all_projects=name == "every launcher",
                expires_at=2_000 if name == "expired" else None,
            )
            operator.submit(CreateKey(key=made, digest=key_digest(key)), 1_000)
