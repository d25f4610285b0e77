"""A gateway on a temporary file, with one key per scope, a pretended launcher and agent."""

import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import httpx

from gateway.app import opened
from gateway.settings import read_settings
from gateway.store import statements as sql
from gateway.wire.signing import secret_bytes, sign

Json = dict[str, Any]
NEW_TASK: Json = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Add a health endpoint"}


def environ(folder: Path) -> dict[str, str]:
    """Settings of a gateway of a test."""
    secret = base64.b64encode(b"m" * 32).decode()
    return {
        "SLIPGATE_DATABASE_URL": f"sqlite:////{folder}/slipgate.db",
        "SLIPGATE_SECRET_KEYS": f"k1:{secret}",
        "SLIPGATE_PUBLIC_URL": "http://127.0.0.1:8700",
        "SLIPGATE_LOG": "json",
    }


def key(scope: str, fill: str = "x") -> str:
    """An API key of this scope."""
    return f"slip_{scope}_{fill * 43}"


class House:
    """Speaks HTTP to the application as each of its users."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def call(
        self, method: str, path: str, *, scope: str = "tasks", **options: Any
    ) -> httpx.Response:
        """A request with the key of a scope."""
        headers = {"Authorization": f"Bearer {key(scope)}", **options.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **options)

    async def post(self, path: str, body: Json | None = None, **options: Any) -> httpx.Response:
        """A POST as a frontend."""
        return await self.call("POST", path, json=body or {}, **options)

    async def create(self, **fields: Any) -> Json:
        """A task."""
        response = await self.post("/v1/tasks", {**NEW_TASK, **fields})
        assert response.status_code == 202, response.text
        task: Json = response.json()
        return task

    async def task(self, task_id: str) -> Json:
        """A task as it stands."""
        task: Json = (await self.call("GET", f"/v1/tasks/{task_id}")).json()
        return task

    async def claim(self, **fields: Any) -> list[Json]:
        """Jobs, as a launcher."""
        wanted = {"launcherId": "l1", "providers": ["local@here"], "capacity": 1, **fields}
        response = await self.post("/v1/launcher/claim", wanted, scope="launcher")
        assert response.status_code == 200, response.text
        jobs: list[Json] = response.json()["jobs"]
        return jobs

    async def report(self, job: Json, what: str, **fields: Any) -> httpx.Response:
        """A report of a launcher under the job's lease."""
        body = {"leaseToken": job["leaseToken"], **fields}
        path = f"/v1/launcher/jobs/{job['id']}/{what}"
        return await self.post(path, body, scope="launcher")

    async def launch(self) -> Json:
        """Claimed, tried and started."""
        (job,) = await self.claim()
        name = job["sandbox"]["name"]
        tried = await self.report(
            job, "trying", provider="local", realm="here", name=name, **{"try": 1}
        )
        assert tried.json()["create"] is True
        done = await self.report(job, "done", sandbox=sandbox(job))
        assert done.status_code == 200, done.text
        return job

    async def say(self, job: Json, kind: str, message_id: str = "", **data: Any) -> httpx.Response:
        """A signed word of the job's agent."""
        body = word(job, kind, **data)
        headers = signed(job, message_id or f"msg_{time.time_ns()}", body)
        return await self.http.post("/v1/webhooks/agent", content=body, headers=headers)


def sandbox(job: Json, state: str = "started") -> Json:
    """The sandbox of a job as a launcher reports it."""
    name = job["sandbox"]["name"]
    return {
        "id": f"sb-{name}",
        "name": name,
        "provider": "local",
        "realm": "here",
        "snapshot": job["snapshot"],
        "state": state,
    }


def word(job: Json, kind: str, **data: Any) -> bytes:
    """The body of a webhook."""
    addressed = {"taskId": job["taskId"], "attempt": job["attempt"], **data}
    return json.dumps(
        {"type": kind, "timestamp": "2026-01-01T00:00:00Z", "data": addressed}
    ).encode()


def signed(job: Json, message_id: str, body: bytes, *, at: float | None = None) -> dict[str, str]:
    """The three headers, made with the secret the job brought."""
    secret = secret_bytes(job["env"]["SLIPGATE_WEBHOOK_SECRET"])
    timestamp = int(at or time.time())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, message_id, timestamp, body),
    }


@asynccontextmanager
async def house(folder: Path, **extra: str) -> AsyncIterator[House]:
    """A running gateway and who may use it."""
    settings = read_settings({**environ(folder), **extra})
    async with opened(settings) as gateway:
        await _make_keys(settings.database)
        transport = httpx.ASGITransport(gateway.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://slipgate") as http:
            yield House(http)


async def _make_keys(database: Path) -> None:
    async with aiosqlite.connect(database) as connection:
        for project, fill in (("default", "x"), ("other", "y")):
            for scope in ("tasks", "read", "launcher", "ops"):
                text = key(scope, fill)
                await connection.execute(
                    sql.INSERT_API_KEY,
                    {
                        "id": f"key_{scope}_{project}",
                        "hash": hashlib.sha256(text.encode()).digest(),
                        "scope": scope,
                        "project": project,
                        "name": scope,
                        "created_at": 0,
                    },
                )
        await connection.commit()
