"""The loads: task after task, or word after word, on every connection until the time is over."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Final

import msgspec

from gateway.wire import launcher as wire
from gateway.wire.signing import secret_bytes, sign
from tests.benchmarks.connection import connected, request, timed
from tests.benchmarks.servers import Server

TASK: Final = {
    "repoUrl": "https://github.com/acme/widgets",
    "baseBranch": "main",
    "title": "Add a health endpoint",
    "prompt": "Add `GET /health` to the service. It answers 200 with the version of the "
    "program and the state of its database connection as JSON, and 503 if the database does "
    "not answer within a second. Cover both with tests and mention it in the README.",
    "timeouts": {"runSeconds": 7200},
}
NEW_TASK: Final = msgspec.json.encode(TASK)
PROVIDER: Final = "local@bench"
PACE_SECONDS: Final = 0.02
"""Between two samples of the latency: the gateway is idle, and the launcher waits again."""


def new_task(server: Server) -> bytes:
    """`POST /v1/tasks`."""
    authorization = {"authorization": f"Bearer {server.tasks_key}"}
    return request("POST", "/v1/tasks", NEW_TASK, authorization)


def new_event(server: Server) -> bytes:
    """`POST /v1/events`."""
    authorization = {"authorization": f"Bearer {server.tasks_key}"}
    wanted = {"type": "order.made", "data": TASK}
    return request("POST", "/v1/events", msgspec.json.encode(wanted), authorization)


def new_endpoint(server: Server, url: str, project: str = "default") -> bytes:
    """`POST /v1/endpoints` of one that gets the new tasks of a project, and its own events."""
    wanted = {"url": url, "project": project, "eventTypes": ["task.created", "order.made"]}
    authorization = {"authorization": f"Bearer {server.ops_key}"}
    return request("POST", "/v1/endpoints", msgspec.json.encode(wanted), authorization)


async def tasks_per_second(server: Server, connections: int, seconds: float) -> float:
    """Accepted tasks."""
    message = new_task(server)
    return await _per_second(server, [lambda: message] * connections, seconds)


async def words_per_second(server: Server, agents: Sequence["Agent"], seconds: float) -> float:
    """Accepted webhooks; each agent has a connection of its own."""
    return await _per_second(server, [agent.progress for agent in agents], seconds)


async def handover_seconds(server: Server, samples: int) -> list[float]:
    """From sending `POST /v1/tasks` to the job in the hands of a launcher that waits for it."""
    message = new_task(server)
    times: list[float] = []
    async with connected(server.port, 2) as (frontend, launcher):
        for _ in range(samples):
            poll = asyncio.ensure_future(timed(launcher, claim(server, 1, wait=30), 200))
            await asyncio.sleep(PACE_SECONDS)
            began = time.perf_counter()
            await frontend.ask(message, 202)
            arrived, body = await poll
            times.append(arrived - began)
            for job in msgspec.json.decode(body, type=wire.Jobs).jobs:
                await launcher.ask(give_up(server, job), 200)
    return times


class Agent:
    """The agent of one running task."""

    def __init__(self, job: wire.Job) -> None:
        self.task_id = job.task_id
        self._secret = secret_bytes(job.env["SLIPGATE_WEBHOOK_SECRET"])
        self._numbers = count(1)

    def started(self) -> bytes:
        """Its first word."""
        return self.word("task.started", {})

    def progress(self) -> bytes:
        """Its next word."""
        fields = {"stage": "agent", "message": "Running the tests of the health endpoint"}
        return self.word("task.progress", fields)

    def word(self, kind: str, fields: Mapping[str, object]) -> bytes:
        """A signed word of any type."""
        now = int(time.time())
        data = {"taskId": self.task_id, "attempt": 1, **fields}
        body = msgspec.json.encode(
            {"type": kind, "timestamp": "2026-01-01T00:00:00Z", "data": data}
        )
        message_id = f"msg_{next(self._numbers)}"
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(self._secret, message_id, now, body),
        }
        return request("POST", "/v1/webhooks/agent", body, headers)


async def running_agents(server: Server, number: int) -> list[Agent]:
    """The agents of `number` tasks, claimed and begun."""
    message = new_task(server)
    async with connected(server.port, 1) as (connection,):
        for _ in range(number):
            await connection.ask(message, 202)
        body = await connection.ask(claim(server, number), 200)
        agents = [Agent(job) for job in msgspec.json.decode(body, type=wire.Jobs).jobs]
        for agent in agents:
            await connection.ask(agent.started(), 202)
    return agents


async def _per_second(
    server: Server, messages: Sequence[Callable[[], bytes]], seconds: float
) -> float:
    async with connected(server.port, len(messages)) as connections:
        began = time.perf_counter()
        counts = await asyncio.gather(
            *(
                connection.keep_asking(message, 202, began + seconds)
                for connection, message in zip(connections, messages, strict=True)
            )
        )
        return sum(counts) / (time.perf_counter() - began)


def claim(server: Server, capacity: int, *, wait: float = 0) -> bytes:
    body = {
        "launcherId": "bench",
        "providers": [PROVIDER],
        "capacity": capacity,
        "waitSeconds": wait,
    }
    return _by_launcher(server, "/v1/launcher/claim", body)


def give_up(server: Server, job: wire.Job) -> bytes:
    error = {"code": "bench", "message": "measured", "retryable": False}
    body = {"leaseToken": job.lease_token, "error": error}
    return _by_launcher(server, f"/v1/launcher/jobs/{job.id}/failed", body)


def _by_launcher(server: Server, path: str, body: object) -> bytes:
    authorization = {"authorization": f"Bearer {server.launcher_key}"}
    return request("POST", path, msgspec.json.encode(body), authorization)
