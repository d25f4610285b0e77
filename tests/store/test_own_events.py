"""Own events in the store: once for each id, in the order of their key, kept for their time."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Final

import pytest
from msgspec.structs import replace

from gateway.domain.deliveries.commands import PostAllReply, PostEvent, PostEvents, PostReply
from gateway.domain.deliveries.own_event import lane_id
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.policy import Policy
from gateway.ledger import Ledger
from gateway.loops.prune import PAUSE, Pruner
from gateway.store.administration import open_database
from tests.postgres.reused import reused_database
from tests.store.test_endpoints import Desk
from tests.stores import NewDatabase, OpenedStore, ServerDatabase, ledger_on

DAY: Final = 86_400_000


def posting(number: int, key: str | None = None, **more: object) -> PostEvent:
    """An event; without a key each has a lane of its own."""
    command = PostEvent(
        project="default",
        lane=lane_id("default", key) if key else f"own_{number}",
        is_ordered=key is not None,
        type="order.made",
        data=b'{"number":%d}' % number,
        digest=hashlib.sha256(b"%d" % number).digest(),
    )
    return replace(command, **more)


async def posts(ledger: Ledger, *commands: PostEvent) -> list[PostReply]:
    answers = await asyncio.gather(*map(ledger.submit, commands))
    return [answer for answer in answers if isinstance(answer, PostReply)]


async def posts_batch(ledger: Ledger, *commands: PostEvent) -> list[PostReply]:
    answer = await ledger.submit(PostEvents(events=commands))
    assert isinstance(answer, PostAllReply)
    return [*answer.posted]


async def lanes(store: OpenedStore) -> list[tuple[str, int, int]]:
    """All own events: lane, number there, number of all."""
    page = await store.reads.events_of_project("default", ["*"], after=0, limit=100)
    return [(event.task_id, event.task_seq, event.seq) for event in page.events]


async def test_a_batch_numbers_the_events_of_a_key_and_answers_with_their_numbers(
    database: NewDatabase,
) -> None:
    async with ledger_on(database) as (ledger, store):
        first = await posts(ledger, posting(1, "a"), posting(2, "b"), posting(3, "a"), posting(4))
        (later,) = await posts(ledger, posting(5, "a"))
        stored = await lanes(store)
    a, b = lane_id("default", "a"), lane_id("default", "b")
    assert [reply.own.seq for reply in (*first, later)] == [1, 2, 3, 4, 5]
    assert stored == [(a, 1, 1), (b, 1, 2), (a, 2, 3), ("own_4", 1, 4), (a, 3, 5)]
    assert [*database.problems()] == []


async def test_an_id_that_comes_again_is_known_within_its_batch_and_behind_it(
    database: NewDatabase,
) -> None:
    named = posting(1, event_id="e1")
    async with ledger_on(database) as (ledger, store):
        both = await posts(ledger, named, replace(named, lane="own_x"), posting(2, "a"))
        (again,) = await posts(ledger, replace(named, lane="own_y"))
        with pytest.raises(ApiError, match="eventId"):
            await ledger.submit(posting(3, event_id="e1"))
        (elsewhere,) = await posts(ledger, replace(named, project="acme", lane="own_z"))
        stored = await lanes(store)
    assert [(reply.own.seq, reply.known) for reply in both] == [(1, False), (1, True), (2, False)]
    assert (again.own.seq, again.known, elsewhere.known) == (1, True, False)
    assert [seq for _, _, seq in stored] == [1, 2]


async def test_two_gateways_number_one_key_and_take_one_id_once() -> None:
    with reused_database() as reused:
        database = ServerDatabase(reused)
        async with (
            database.opened() as one,
            database.opened() as other,
            Ledger(one, Policy(key_id="k1")).running() as here,
            Ledger(other, Policy(key_id="k1")).running() as there,
        ):
            replies = await asyncio.gather(
                *(
                    (posts_batch if number % 2 else posts)(
                        ledger, posting(number, "a"), posting(0, event_id="e", lane=f"own_{at}")
                    )
                    for number in range(1, 6)
                    for at, ledger in ((f"h{number}", here), (f"t{number}", there))
                )
            )
            stored = await lanes(one)
        assert [*database.problems()] == []
    keyed = [(number, seq) for lane, number, seq in stored if lane == lane_id("default", "a")]
    assert [number for number, _ in keyed] == [*range(1, 11)]
    assert len(stored) == 11
    assert len({second.own.seq for _, second in replies}) == 1
    assert {first.own.seq for first, _ in replies} == {seq for _, seq in keyed}


@dataclass(kw_only=True)
class Moment:
    """A clock that is set by hand (milliseconds)."""

    now: int = 1_000 * DAY


async def prune(moment: Moment, ledger: Ledger, store: OpenedStore) -> None:
    pruner = Pruner(store.reads, ledger.submit, lambda: moment.now, retention=30 * DAY)
    while await pruner.step() == PAUSE:
        pass


async def test_an_own_event_goes_after_its_time_unless_somebody_is_owed_it(
    database: NewDatabase,
) -> None:
    moment = Moment()
    async with ledger_on(database, lambda: moment.now) as (ledger, store):
        desk = Desk(database, ledger, store)
        await desk.opens("ep_a", event_types=("order.made",))
        await posts(ledger, posting(1, "a"), posting(2, "a", event_id="e"), posting(3))
        pending = await desk.deliveries_of(endpoint_id="ep_a", status="pending")
        await desk.settles_one(pending[0], "delivered")
        await desk.settles_one(pending[1], "dead")
        moment.now += 31 * DAY
        await posts(ledger, posting(4, "a"))
        await prune(moment, ledger, store)
        left = [seq for _, _, seq in await lanes(store)]
        cut = await store.reads.pruned("default"), await store.reads.pruned("acme")
        (anew,) = await posts(ledger, posting(5, event_id="e"))
        assert [*database.problems()] == []
    assert (left, cut) == ([1, 4], (3, 0))
    assert (anew.own.seq, anew.known) == (5, False)


DAMAGES: Final = {
    "delivery_missing": "DELETE FROM deliveries WHERE endpoint_id = 'ep_ours' AND seq = 1",
    "delivery_unasked": "UPDATE own_events SET customer = NULL WHERE seq = 1",
    "own_event_torn": "DELETE FROM own_events WHERE seq = 3",
    "seq_not_increasing": (
        "UPDATE events SET task_seq = 9 WHERE seq = 1;"
        "UPDATE deliveries SET task_seq = 9 WHERE seq = 1"
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_verify_sees_a_broken_lane(database: NewDatabase, name: str) -> None:
    async with ledger_on(database) as (ledger, store):
        desk = Desk(database, ledger, store)
        await desk.opens("ep_ours", event_types=("order.*",))
        await desk.opens("ep_acme", customer="acme")
        await desk.opens("ep_other", customer="globex")
        await posts(ledger, posting(1, "a", customer="acme"), posting(2), posting(3, "a"))
    assert [*database.problems()] == []
    with open_database(database.location) as opened, opened.transaction():
        for statement in DAMAGES[name].split(";"):
            opened.fetch(statement)
    assert {problem.split()[0] for problem in database.problems()} == {name}
