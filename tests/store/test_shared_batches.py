"""Two gateways on one database: what both take in side by side is taken in once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.domain.decide import decide
from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.kernel import commands as c
from gateway.domain.kernel.answers import TaskReply
from gateway.domain.kernel.errors import Conflict
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import Idempotency, ReadSet
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.realm import first_call
from gateway.domain.tasks.spec import Spec
from gateway.ledger import Ledger, wall_clock
from tests.postgres.reused import reused_database
from tests.stores import OpenedStore, ServerDatabase

POLICY = Policy(key_id="k1")


def request(number: int) -> c.CreateTask:
    """The same request as it reaches one of the gateways, with the id that it gives the task."""
    spec = Spec(
        project="default",
        repo_url="https://github.com/acme/widgets",
        prompt="Add a health endpoint",
        title="Health",
        branch_name="slipgate/health",
        snapshot="agent-1",
    )
    key = Idempotency(
        key=("default", "POST /v1/tasks", "once"), digests={"k1": b"same"}, current="k1"
    )
    return c.CreateTask(task_id=typeid("task", 1, number), spec=spec, idempotency=key)


async def take_in(store: OpenedStore, meanwhile: Awaitable[object]) -> None:
    """A batch between whose load and write something else happens."""
    async with store.transaction() as batch:
        unit = await batch.load([request(1).needs], POLICY, wall_clock())
        await meanwhile
        decide(unit, request(1), wall_clock())
        await batch.write(unit, ())


async def test_a_request_that_reaches_two_gateways_at_once_makes_one_task() -> None:
    with reused_database() as reused:
        database = ServerDatabase(reused)
        async with (
            database.opened() as one,
            database.opened() as other,
            Ledger(one, POLICY).running() as late,
            Ledger(other, POLICY).running() as early,
        ):
            with pytest.raises(Conflict):
                await take_in(one, early.submit(request(2)))
            answers = await asyncio.gather(late.submit(request(1)), early.submit(request(2)))
        ids = [answer.task.id for answer in answers if isinstance(answer, TaskReply)]
        assert ids == [request(2).task_id] * 2


REALM = ("local", "here", "")
ENDPOINT = Endpoint(id="ep_1", project="default", origin="", created_at=1, updated_at=1)


async def alone(
    store: OpenedStore, do: Callable[[UnitOfWork], None] = lambda _: None
) -> UnitOfWork:
    """A batch that is alone."""
    async with store.transaction() as batch:
        unit = await batch.load([ReadSet(alerts=True)], POLICY, 1_000)
        do(unit)
        if unit.is_changed:
            await batch.write(unit, ())
    return unit


async def test_a_call_of_a_launcher_makes_no_other_gateway_read_its_endpoints_again() -> None:
    with reused_database() as reused:
        database = ServerDatabase(reused)
        async with database.opened() as one, database.opened() as other:
            await alone(other)
            await alone(one, lambda unit: unit.outbox.put_endpoint(ENDPOINT))
            told, quiet = await alone(other), await alone(other)
            await alone(one, lambda unit: unit.realms.put(first_call(REALM, 1_000)))
            called = await alone(other)
        assert [unit.outbox.is_read_anew for unit in (told, quiet, called)] == [True, False, False]
        assert list(called.realms) == [REALM]
        assert called.outbox.directory.find("ep_1") == ENDPOINT
