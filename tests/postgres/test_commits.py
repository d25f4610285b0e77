"""Commits whose answer is lost: nobody is told that a task is stored, or not, when it is not so."""

import asyncio
import select
from typing import Any, Final

import httpx
import psycopg
import pytest
from psycopg import AsyncConnection

from gateway.domain.kernel.errors import OutcomeUnknown
from gateway.store.postgres.connection import PostgresConnection
from gateway.store.postgres.outcome import Proof, was_committed
from gateway.store.postgres.pool import Pool
from gateway.store.sql.rows import Row
from tests.launcher.conditions import until
from tests.postgres.databases import new_database
from tests.postgres.gateways import gateway_on, keys_of
from tests.postgres.tunnel import Loss, Tunnel
from tests.web.callers import TASK, GatewayHarness

CALLERS: Final = 8
LOSSES: Final = 4


async def create_until(
    gateway: GatewayHarness, answers: list[httpx.Response], tunnel: Tunnel
) -> None:
    """Creates one task after another while answers are lost, and two more."""
    left = 3
    while tunnel.losses or (left := left - 1):
        answers.append(await gateway.post("/v1/tasks", TASK))


def stored(url: str) -> set[str]:
    with psycopg.connect(url) as database:
        rows: list[Any] = database.execute("SELECT id FROM tasks").fetchall()
    return {task_id for (task_id,) in rows}


LOST: Final = (Loss.UNSENT, Loss.UNNOTICED, Loss.UNANSWERED)


@pytest.mark.parametrize("loss", LOST, ids=lambda loss: loss.name.lower())
async def test_each_caller_is_told_what_has_become_of_its_task(loss: Loss) -> None:
    with new_database() as url:
        async with Tunnel(url).running() as tunnel, gateway_on(tunnel.url, keys_of(url)) as gateway:
            tunnel.losses = [loss, None] * LOSSES
            answers: list[httpx.Response] = []
            async with asyncio.timeout(60):
                await asyncio.gather(
                    *(create_until(gateway, answers, tunnel) for _ in range(CALLERS))
                )
            assert {answer.status_code for answer in answers} <= {202, 503}
            taken = [answer.json()["id"] for answer in answers if answer.status_code == 202]
            assert sorted(taken) == sorted(stored(url))
            assert len(taken) > CALLERS


@pytest.mark.parametrize(
    ("number", "batch", "outcome"),
    [(0, 7, True), (0, 8, False), (1_000_000, 7, False)],
    ids=["committed", "the number of another", "a number that was lost"],
)
async def test_the_number_of_a_transaction_alone_proves_nothing(
    number: int, batch: int, outcome: bool
) -> None:
    with new_database() as url:
        with psycopg.connect(url) as database:
            database.execute("INSERT INTO commits (gateway, batch) VALUES ('gw_1', 7)")
            row = database.execute("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")
            ((mine,),) = row.fetchall()
        proof = Proof(transaction_id=f"{mine + number}", pid=1, gateway="gw_1", batch=batch)
        assert await was_committed(Pool(url).connect, proof, is_over=lambda: False) is outcome


async def test_a_gateway_that_stops_says_that_it_does_not_know() -> None:
    proof = Proof(transaction_id="1", pid=1, gateway="gw_1", batch=1)
    looks = iter((False, True))
    pool = Pool("postgresql://127.0.0.1:1/nowhere")
    with pytest.raises(OutcomeUnknown) as unknown:
        await was_committed(pool.connect, proof, is_over=lambda: next(looks))
    assert "Nothing was stored" not in f"{unknown.value.detail}{unknown.value.hint}"


async def _fail_early(connection: "AsyncConnection[Row]") -> None:
    """A pipeline that ends once the error of its first statement has come."""
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    async with PostgresConnection(connection).pipeline():
        await PostgresConnection(connection).execute("SELECT 1 / 0")
        await until(lambda: socket.poll(0), "the error")


async def test_an_error_that_comes_before_the_other_answers_is_told_as_what_it_is() -> None:
    with new_database() as url:
        async with Pool(url) as pool:
            async with pool.connection() as connection:
                with pytest.raises(psycopg.errors.DivisionByZero):
                    await _fail_early(connection)
            async with pool.connection() as connection:
                assert [*await PostgresConnection(connection).fetch("SELECT 1")] == [(1,)]
