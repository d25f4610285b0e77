"""The effect of a busy project on a quiet one."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from tests.benchmarks import floods
from tests.benchmarks.connection import Connection, connected, ready, request
from tests.benchmarks.load import PACE_SECONDS, TASK, new_endpoint, new_task
from tests.benchmarks.readers import allow_files
from tests.benchmarks.receiver import Receiver, listening
from tests.benchmarks.report import Figure, Section, percentile
from tests.benchmarks.servers import NEIGHBOUR, Server, gateway

QUIET: Final = "/quiet"
HANGING: Final = "/hanging/"
LOUD_SECONDS: Final = 1.0
"""Between two events of the loud project, each owed to every receiver it has."""
PATIENCE: Final = 120.0
"""Seconds until one delivery must have come."""
REFUSED_PORT: Final = 9
"""Nothing listens there: the discard service is long gone."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    samples: int = 300
    warm: int = 40
    """Samples before the first that counts."""
    hanging: int = 300
    """Receivers of the loud project that take a request and never answer."""
    undeliverable: int = 400
    """Receivers of the loud project that refuse the connection, or whose name has no address."""
    polls: int = 4_200
    """Long polls of one key of the loud project."""
    halves: int = 5_400
    """Requests of nobody that never come whole."""
    origins: int = 1_000
    """Tasks, each with a callback to another origin."""
    connections: int = 16


class Felt(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of each sample of the quiet project."""

    request: tuple[float, ...]
    """Until `POST /v1/tasks` was answered."""
    lag: tuple[float, ...]
    """Until the first byte of the webhook came, from sending the request."""


class Origins(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks accepted, and webhooks that came, per second."""

    one: float
    """Tasks whose callbacks all go to one origin."""
    new: float
    """Tasks with a callback to a new origin each."""
    delivered: float
    """Webhooks of those."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one run."""

    alone: Felt
    beside: dict[str, Felt]
    origins: "Origins"


async def section(size: Size) -> Section:
    """Measures, with a gateway for each kind of neighbour."""
    allow_files()
    async with _field() as field:
        alone = await _felt(field, size)
    beside = {}
    async with _field() as field:
        hanging = [field.receiver.url(f"{HANGING}{n}") for n in range(size.hanging)]
        async with _loud(field, hanging):
            beside["hanging receivers"] = await _felt(field, size)
    async with _field() as field, _loud(field, _undeliverable(size.undeliverable)):
        beside["undeliverable receivers"] = await _felt(field, size)
    for name, number, message in (
        ("long polls", size.polls, floods.poll),
        ("half requests", size.halves, lambda _: floods.HALF),
        ("half bodies", size.halves, lambda _: floods.HALF_BODY),
    ):
        async with _field() as field, floods.held(field.server, number, message(field.server)):
            beside[name] = await _felt(field, size)
    async with _field(size.origins) as field:
        origins = await _origins(field, size.connections)
    return _section(size, Measured(alone=alone, beside=beside, origins=origins))


def _section(size: Size, measured: Measured) -> Section:
    alone = measured.alone
    results = [
        Figure(name="request alone, p99", value=_p99(alone.request) * 1000, unit="ms"),
        Figure(name="delivery lag alone, p99", value=_p99(alone.lag) * 1000, unit="ms"),
    ]
    for name, felt in measured.beside.items():
        ratio = _p99(felt.request) / _p99(alone.request)
        lag = max(felt.lag) * 1000
        results += [
            Figure(name=f"request beside {name} : alone, p99", value=ratio, unit="×", most=3),
            Figure(name=f"delivery lag beside {name}, most", value=lag, unit="ms", most=2_000),
        ]
    rates = measured.origins
    results += [
        Figure(name="tasks with one callback origin", value=rates.one, unit="/s"),
        Figure(
            name="tasks with a new callback origin each", value=rates.new, unit="/s", least=1_000
        ),
        Figure(name="a new origin each : one origin", value=rates.new / rates.one, unit="×"),
        Figure(name="webhooks to a new origin each", value=rates.delivered, unit="/s"),
    ]
    return Section(
        name="neighbours",
        note=f"{size.samples} samples of a quiet project; beside it another one with "
        f"{size.hanging} receivers that hang, or {size.undeliverable} that cannot be reached, an "
        f"event for all of them every {LOUD_SECONDS:g} s; or {size.polls} long polls, or "
        f"{size.halves} half requests; {size.origins} callback origins.",
        results=tuple(results),
        measured=measured,
    )


@dataclass(frozen=True, kw_only=True)
class _Field:
    server: Server
    receiver: Receiver


@asynccontextmanager
async def _field(ports: int = 1) -> AsyncIterator[_Field]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipgate-bench-")))
        receiver = await stack.enter_async_context(listening(ports))
        receiver.keeps_bodies = False
        server = stack.enter_context(gateway(folder / "gateway"))
        await ready(server.port)
        try:
            yield _Field(server=server, receiver=receiver)
        finally:
            receiver.hang_up()


async def _felt(field: _Field, size: Size) -> Felt:
    """Task after task of the quiet project, at its pace."""
    message = new_task(field.server)
    requests, lags = [], []
    async with connected(field.server.port, 1) as (connection,):
        url = field.receiver.url(QUIET)
        await connection.ask(new_endpoint(field.server, url), 201)
    for _ in range(size.warm + size.samples):
        await asyncio.sleep(PACE_SECONDS)
        field.receiver.begin(1)
        # One of its own: it would be closed as idle while a delivery is late.
        async with connected(field.server.port, 1) as (connection,):
            began = time.perf_counter()
            await connection.ask(message, 202)
            requests.append(time.perf_counter() - began)
        async with asyncio.timeout(PATIENCE):
            await field.receiver.enough()
        lags.append(field.receiver.moments[QUIET][0] - began)
    return Felt(request=tuple(requests[size.warm :]), lag=tuple(lags[size.warm :]))


def _undeliverable(number: int) -> list[str]:
    refused = [f"http://127.0.0.1:{REFUSED_PORT}/{n}" for n in range(number // 2)]
    return refused + [f"https://receiver-{n}.invalid/" for n in range(number - len(refused))]


@asynccontextmanager
async def _loud(field: _Field, urls: Sequence[str]) -> AsyncIterator[None]:
    """A project with these receivers, and events for all of them again and again."""
    field.receiver.aside = frozenset(f"{HANGING}{n}" for n in range(len(urls)))
    field.receiver.is_aside_hanging = True
    async with connected(field.server.port, 1) as (connection,):
        for url in urls:
            await connection.ask(new_endpoint(field.server, url, NEIGHBOUR), 201)
        speaking = asyncio.create_task(_speak(field, connection))
        try:
            yield
        finally:
            speaking.cancel()
            await asyncio.wait({speaking})


async def _speak(field: _Field, connection: Connection) -> None:
    message = _task_of(field.server.neighbour_key, {})
    while True:
        await connection.ask(message, 202)
        await asyncio.sleep(LOUD_SECONDS)


async def _origins(field: _Field, connections: int) -> Origins:
    origins = field.receiver.origins
    one = await _accepted(field, connections, [origins[0]] * len(origins))
    new = await _accepted(field, connections, origins)
    return Origins(one=one, new=new, delivered=len(origins) / field.receiver.seconds())


async def _accepted(field: _Field, connections: int, callbacks: Sequence[str]) -> float:
    """Tasks accepted per second; that each webhook comes is waited for, and not counted."""
    origins = iter(callbacks)
    field.receiver.begin(len(callbacks))
    async with connected(field.server.port, connections) as opened:
        began = time.perf_counter()
        await asyncio.gather(*(_create(field, each, origins) for each in opened))
        seconds = time.perf_counter() - began
    async with asyncio.timeout(PATIENCE):
        await field.receiver.enough()
    return len(callbacks) / seconds


async def _create(field: _Field, connection: Connection, origins: Iterator[str]) -> None:
    for origin in origins:
        message = _task_of(field.server.tasks_key, {"callbackUrl": f"{origin}{QUIET}"})
        await connection.ask(message, 202)


def _task_of(key: str, more: dict[str, str]) -> bytes:
    authorization = {"authorization": f"Bearer {key}"}
    return request("POST", "/v1/tasks", msgspec.json.encode({**TASK, **more}), authorization)


def _p99(seconds: Sequence[float]) -> float:
    return percentile(seconds, 99)
