"""CPU time of a request, path by path: accounting, which holds on a busy machine too."""

import asyncio
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import cycle, repeat
from pathlib import Path
from typing import Final

import msgspec

from tests.benchmarks.connection import Connection, connected, ready, request
from tests.benchmarks.load import TASK, claim, new_endpoint, new_task, running_agents
from tests.benchmarks.receiver import Receiver, listening
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.servers import NEIGHBOUR, Server, floor, gateway, yardstick

YARDSTICK: Final = "POST /v1/tasks, yardstick"
PATIENCE: Final = 60.0
"""Seconds until the webhooks of a round must have come."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    rounds: int = 5
    requests: int = 2_000
    """Of each path, in each round;"""
    origins: int = 200
    """and of those with a new callback origin each."""
    connections: int = 64


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """CPU-seconds for 1,000 requests of each path, in each round."""

    seconds: dict[str, list[float]]


@dataclass(frozen=True, kw_only=True)
class _Path:
    """Requests of one kind; with `webhooks` each causes a delivery, which is waited for."""

    server: Server
    messages: Iterator[bytes]
    requests: int
    status: int = 202
    webhooks: Receiver | None = None


async def section(size: Size) -> Section:
    """Measures all paths in turn, in each round."""
    async with AsyncExitStack() as stack:
        paths = await _paths(stack, size)
        for path in paths.values():
            await _spent(path, path.requests // 10, size.connections)  # warms everything up
        seconds: dict[str, list[float]] = {name: [] for name in paths}
        for _ in range(size.rounds):
            for name, path in paths.items():
                seconds[name].append(await _spent(path, path.requests, size.connections))
    return _section(size, Measured(seconds=seconds))


def _section(size: Size, measured: Measured) -> Section:
    seconds = measured.seconds
    results = [
        Figure(name=name, value=statistics.median(spent) * 1000, unit="ms / 1,000")
        for name, spent in seconds.items()
    ]
    for name in [name for name in seconds if name != YARDSTICK]:
        pairs = zip(seconds[YARDSTICK], seconds[name], strict=True)
        ratio = statistics.median(plain / ours for plain, ours in pairs)
        results.append(Figure(name=f"yardstick : {name}", value=ratio, unit="×"))
    return Section(
        name="CPU",
        note=f"CPU of the server's process for 1,000 requests, its deliveries included; "
        f"{size.rounds} rounds of {size.requests} requests on {size.connections} connections, and "
        f"of {size.origins} with a new callback origin each.",
        results=tuple(results),
        measured=measured,
    )


async def _paths(stack: AsyncExitStack, size: Size) -> Mapping[str, _Path]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipgate-bench-")))
    asked_origins = size.origins * size.rounds + size.origins // 10
    receiver = await stack.enter_async_context(listening(1 + asked_origins))
    receiver.keeps_bodies = False
    plain = stack.enter_context(yardstick())
    await ready(plain.port)
    bare = stack.enter_context(floor(folder))
    await ready(bare.port)
    ours = stack.enter_context(gateway(folder / "quiet"))
    await ready(ours.port)
    # One of its own: claims of tasks with callbacks would cause deliveries too.
    sending = stack.enter_context(gateway(folder / "sending"))
    await ready(sending.port)
    async with connected(sending.port, 1) as (connection,):
        url = receiver.url("/subscribed")
        await connection.ask(new_endpoint(sending, url, NEIGHBOUR), 201)
    agents = await running_agents(ours, size.connections)
    bearer = {"authorization": f"Bearer {ours.tasks_key}"}
    shown = request("GET", f"/v1/tasks/{agents[0].task_id}", headers=bearer)
    known, *unknown = receiver.origins
    to_one = repeat(_post_task(sending.tasks_key, callbackUrl=f"{known}/one"))
    to_new = (_post_task(sending.tasks_key, callbackUrl=f"{each}/new") for each in unknown)
    words = (agent.progress() for agent in cycle(agents))

    def path(messages: Iterator[bytes], status: int = 202) -> _Path:
        return _Path(server=ours, messages=messages, requests=size.requests, status=status)

    def delivered(messages: Iterator[bytes], requests: int = size.requests) -> _Path:
        return _Path(server=sending, messages=messages, requests=requests, webhooks=receiver)

    return {
        YARDSTICK: _Path(server=plain, messages=repeat(new_task(plain)), requests=size.requests),
        "POST /v1/tasks, floor": _Path(
            server=bare, messages=repeat(new_task(bare)), requests=size.requests
        ),
        "POST /v1/tasks": path(repeat(new_task(ours))),
        "POST /v1/webhooks/agent": path(words),
        "POST /v1/tasks, delivered": delivered(repeat(_post_task(sending.neighbour_key))),
        "POST /v1/tasks, with one callback": delivered(to_one),
        "POST /v1/tasks, a new callback origin": delivered(to_new, size.origins),
        "GET /v1/tasks/{task_id}": path(repeat(shown), 200),
        "POST /v1/launcher/claim": path(repeat(claim(ours, 1)), 200),
    }


def _post_task(key: str, **more: str) -> bytes:
    authorization = {"authorization": f"Bearer {key}"}
    return request("POST", "/v1/tasks", msgspec.json.encode({**TASK, **more}), authorization)


async def _spent(path: _Path, requests: int, connections: int) -> float:
    """CPU-seconds of the server for 1,000 of these requests."""
    if path.webhooks is not None:
        path.webhooks.begin(requests)
    async with connected(path.server.port, connections) as opened:
        before = path.server.cpu_seconds()
        left = iter(range(requests))
        await asyncio.gather(*(_ask(each, path, left) for each in opened))
        if path.webhooks is not None:
            async with asyncio.timeout(PATIENCE):
                await path.webhooks.enough()
        return (path.server.cpu_seconds() - before) / requests * 1_000


async def _ask(connection: Connection, path: _Path, left: Iterator[int]) -> None:
    for _ in left:
        await connection.ask(next(path.messages), path.status)
