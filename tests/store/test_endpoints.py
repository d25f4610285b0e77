"""Endpoints in the store: who is owed what, whatever becomes of an endpoint in between."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from gateway.domain.deliveries import commands as e
from gateway.domain.deliveries.endpoint import Endpoint, SigningSecret
from gateway.domain.deliveries.outbox import Address
from gateway.domain.deliveries.replay import Replay
from gateway.domain.kernel import commands as c
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.sealing import Sealed
from gateway.ledger import Ledger
from gateway.store.records import Delivery, DeliveryFilter, Head
from tests.store.test_ledger import creation
from tests.stores import NewDatabase, OpenedStore, ledger_on

SEALED = Sealed(key_id="k1", box=b"sealed")
CALLBACK = c.Callback(endpoint_id="ep_callback", origin="https://app.example", url=SEALED)
FIRST = (2**62, "")


class Desk:
    """An operator at a gateway's ledger."""

    def __init__(self, database: NewDatabase, ledger: Ledger, store: OpenedStore) -> None:
        self.ledger = ledger
        self.store = store
        self._database = database
        self._tasks = 0

    async def opens(self, name: str, **fields: object) -> Endpoint:
        """An endpoint of the default project."""
        plain = Endpoint(id=name, project="default", origin="https://a.example", implicit=False)
        command = e.CreateEndpoint(
            endpoint=replace(plain, **fields),
            address=Address(endpoint_id=name, url=SEALED, headers=SEALED),
            secret=SigningSecret(
                id=f"sec_{name}", project="default", endpoint_id=name, created_at=1
            ),
            sealed=SEALED,
        )
        answer = await self.ledger.submit(command)
        assert isinstance(answer, e.EndpointReply)
        return answer.endpoint

    async def creates(self, **more: object) -> str:
        """A task; its creation is an event."""
        self._tasks += 1
        command = creation(self._tasks)
        await self.ledger.submit(replace(command, **more))
        return command.task_id

    async def works(self, *, limit: int = 2) -> list[Replay]:
        """Every job that runs, step by step to its end."""
        done: dict[str, Replay] = {}
        while running := await self.store.reads.endpoints.running_replays():
            for replay in running:
                step = e.AdvanceReplay(replay_id=replay.id, limit=limit)
                answer = await self.ledger.submit(step)
                assert isinstance(answer, e.ReplayReply)
                done[replay.id] = answer.replay
        return [*done.values()]

    async def settles(self, name: str, status: str) -> None:
        """The newest event pending at an endpoint gets an answer, and so all others."""
        for deliveries_of in await self.deliveries_of(endpoint_id=name, status="pending"):
            await self.settles_one(deliveries_of, status)

    async def settles_one(self, deliveries_of: Delivery, status: str) -> None:
        """A delivery gets an answer."""
        await self.ledger.submit(
            c.SettleDelivery(
                endpoint_id=deliveries_of.endpoint_id,
                seq=deliveries_of.seq,
                status=status,
                attempts=len(deliveries_of.attempts) + 1,
                failures=0,
                next_attempt_at=None,
                body="{}",
                at=1,
                http_status=204,
                reason=None,
                duration_ms=1,
                key_id=f"sec_{deliveries_of.endpoint_id}",
                answer=None,
            )
        )

    async def deliveries_of(self, **wanted: str) -> list[Delivery]:
        """Deliveries, newest first."""
        return await self.store.reads.deliveries_before(DeliveryFilter(**wanted), FIRST, 100)

    async def heads(self, name: str) -> Sequence[Head]:
        """Heads of the lanes of an endpoint, whenever they are due."""
        return (await self.store.reads.due_deliveries(2**60, [name]))[name].heads

    async def states(self, name: str) -> list[str]:
        """The states of the deliveries to an endpoint, oldest first."""
        return [each.status for each in (await self.deliveries_of(endpoint_id=name))[::-1]]

    def is_sound(self) -> None:
        """Asserts that `slipgate verify` finds nothing."""
        assert [*self._database.problems()] == []


@asynccontextmanager
async def _desk(database: NewDatabase) -> AsyncIterator[Desk]:
    async with ledger_on(database) as (ledger, store):
        yield Desk(database, ledger, store)


@pytest.fixture
async def desk(database: NewDatabase) -> AsyncIterator[Desk]:
    async with _desk(database) as opened_desk:
        yield opened_desk


async def test_an_endpoint_gets_the_events_from_its_creation_on(desk: Desk) -> None:
    await desk.creates()
    await desk.opens("ep_a")
    task = await desk.creates()
    assert [each.task_id for each in await desk.deliveries_of(endpoint_id="ep_a")] == [task]
    desk.is_sound()


async def test_each_endpoint_that_wants_an_event_gets_it_once(desk: Desk) -> None:
    await desk.opens("ep_all")
    await desk.opens("ep_ends", event_types=("task.completed",))
    await desk.opens("ep_other", project="elsewhere")
    task = await desk.creates()
    assert [each.endpoint_id for each in await desk.deliveries_of(task_id=task)] == ["ep_all"]
    desk.is_sound()


async def test_a_callback_is_one_more_of_them(desk: Desk) -> None:
    await desk.opens("ep_a")
    command = creation(99)
    spec = replace(command.spec, endpoint_id=CALLBACK.endpoint_id)
    await desk.ledger.submit(replace(command, spec=spec, callback=CALLBACK))
    deliveries_of = await desk.deliveries_of(task_id=command.task_id)
    assert {each.endpoint_id for each in deliveries_of} == {"ep_a", "ep_callback"}
    desk.is_sound()


async def test_what_an_endpoint_wanted_before_is_not_forgotten(desk: Desk) -> None:
    await desk.opens("ep_a", event_types=("task.created",))
    await desk.creates()
    for types in (("task.completed",), None, ("sandbox.*", "task.created")):
        changes = e.EndpointChanges(event_types=types)
        await desk.ledger.submit(e.UpdateEndpoint(endpoint_id="ep_a", changes=changes))
        await desk.creates()
    assert len(await desk.deliveries_of(endpoint_id="ep_a")) == 3
    desk.is_sound()


async def test_a_deleted_endpoint_gets_nothing_more_and_what_it_was_owed_is_dead(
    desk: Desk,
) -> None:
    await desk.opens("ep_a")
    for _ in range(3):
        await desk.creates()
    await desk.ledger.submit(e.DeleteEndpoint(endpoint_id="ep_a"))
    await desk.creates()
    await desk.works()
    deliveries_of = await desk.deliveries_of(endpoint_id="ep_a")
    assert {(each.status, each.reason) for each in deliveries_of} == {("dead", "endpoint_deleted")}
    assert len(deliveries_of) == 3
    assert await desk.store.reads.endpoints.find("ep_a") is None
    assert await desk.store.reads.endpoints.secret("sec_ep_a") is None
    desk.is_sound()


async def test_a_disabled_endpoint_keeps_its_events_and_gets_them_in_order(desk: Desk) -> None:
    await desk.opens("ep_a")
    await desk.creates()
    await desk.ledger.submit(e.DisableEndpoint(endpoint_id="ep_a", reason="gone"))
    await desk.creates()
    await desk.works()
    assert await desk.states("ep_a") == ["held", "held"]
    await desk.ledger.submit(e.EnableEndpoint(endpoint_id="ep_a"))
    # What is new waits behind what was missed.
    await desk.creates()
    assert await desk.states("ep_a") == ["held", "held", "held"]
    await desk.works()
    await desk.creates()
    assert await desk.states("ep_a") == ["pending"] * 4
    desk.is_sound()


async def test_a_backlog_may_be_dropped_visibly(desk: Desk) -> None:
    await desk.opens("ep_a")
    await desk.ledger.submit(e.DisableEndpoint(endpoint_id="ep_a", reason="gone"))
    for _ in range(3):
        await desk.creates()
    await desk.ledger.submit(e.EnableEndpoint(endpoint_id="ep_a", backlog="dead"))
    await desk.creates()
    await desk.works()
    assert await desk.states("ep_a") == ["dead", "dead", "dead", "pending"]
    reasons = {each.reason for each in await desk.deliveries_of(status="dead")}
    assert reasons == {"backlog_dropped"}
    desk.is_sound()


async def test_jobs_and_endpoints_go_on_after_a_restart(database: NewDatabase) -> None:
    async with _desk(database) as desk:
        made = await desk.opens(
            "ep_a",
            event_types=("task.*",),
            metadata={"a": "b"},
            header_names=("X",),
            rate_per_second=0.5,
        )
        for _ in range(5):
            await desk.creates()
        await desk.ledger.submit(e.DisableEndpoint(endpoint_id="ep_a", reason="gone"))
        (job,) = await desk.store.reads.endpoints.running_replays()
        await desk.ledger.submit(e.AdvanceReplay(replay_id=job.id, limit=2))
    async with _desk(database) as desk:
        found = await desk.store.reads.endpoints.find("ep_a")
        assert found is not None
        assert (found.enabled, found.disabled_reason, found.seq) == (False, "gone", 1)
        kept = (found.event_types, found.metadata, found.header_names, found.rate_per_second)
        assert kept == (made.event_types, made.metadata, made.header_names, made.rate_per_second)
        (done,) = await desk.works()
        assert (done.kind, done.status, done.matched) == ("hold", "done", 5)
        assert await desk.states("ep_a") == ["held"] * 5
        desk.is_sound()


@pytest.mark.parametrize(
    ("only_failed", "states"),
    [(False, ["pending", "pending", "pending"]), (True, ["pending", "delivered", "pending"])],
    ids=["everything", "only the failed"],
)
async def test_a_replay_sends_again_what_was_asked_for(
    desk: Desk, only_failed: bool, states: list[str]
) -> None:
    await desk.opens("ep_a")
    for status in ("dead", "delivered", "dead"):
        await desk.creates()
        await desk.settles("ep_a", status)
    replay = Replay(
        id="rpl_1",
        endpoint_id="ep_a",
        project="default",
        only_failed=only_failed,
        created_at=1,
        updated_at=1,
    )
    await desk.ledger.submit(e.StartReplay(replay=replace(replay, id="rpl_0", dry_run=True)))
    await desk.works()
    assert await desk.states("ep_a") == ["dead", "delivered", "dead"]
    await desk.ledger.submit(e.StartReplay(replay=replay))
    shown = await desk.store.reads.endpoints.replays(running=9, ended=1)
    assert [(one.id, one.status, origin) for one, origin in shown] == [
        ("rpl_1", "running", "https://a.example"),
        ("rpl_0", "done", "https://a.example"),
    ]
    dry = await desk.store.reads.endpoints.replay("rpl_0")
    assert dry is not None
    assert dry.status == "done"
    assert dry.matched == states.count("pending")
    (wet,) = await desk.works()
    assert (wet.matched, wet.status) == (dry.matched, "done")
    assert await desk.states("ep_a") == states
    heads = await desk.heads("ep_a")
    assert {(head.trigger, head.failures, head.attempts) for head in heads} == {("replay", 0, 1)}
    desk.is_sound()


async def test_a_replay_is_about_what_was_owed_when_it_was_asked_for(desk: Desk) -> None:
    await desk.opens("ep_a")
    await desk.creates()
    await desk.settles("ep_a", "dead")
    replay = Replay(id="rpl_1", endpoint_id="ep_a", project="default", created_at=1, updated_at=1)
    await desk.ledger.submit(e.StartReplay(replay=replay))
    await desk.creates()
    await desk.settles("ep_a", "dead")
    await desk.works()
    assert await desk.states("ep_a") == ["pending", "dead"]


async def test_a_single_delivery_is_sent_again_by_hand(desk: Desk) -> None:
    await desk.opens("ep_a")
    await desk.creates()
    await desk.settles("ep_a", "dead")
    (dead,) = await desk.deliveries_of(status="dead")
    await desk.ledger.submit(e.RetryDelivery(endpoint_id="ep_a", seq=dead.seq))
    (head,) = await desk.heads("ep_a")
    assert (head.seq, head.trigger, head.failures) == (dead.seq, "manual", 0)
    for key in (("ep_a", 77), ("ep_x", dead.seq)):
        with pytest.raises(ApiError, match="not_found"):
            await desk.ledger.submit(e.RetryDelivery(endpoint_id=key[0], seq=key[1]))


async def test_an_answer_that_comes_after_its_delivery_was_held_still_counts(desk: Desk) -> None:
    await desk.opens("ep_a")
    await desk.creates()
    (deliveries_of,) = await desk.deliveries_of(endpoint_id="ep_a")
    await desk.ledger.submit(e.DisableEndpoint(endpoint_id="ep_a", reason="gone"))
    await desk.works()
    late = c.SettleDelivery(
        endpoint_id="ep_a",
        seq=deliveries_of.seq,
        status="pending",
        attempts=1,
        failures=1,
        next_attempt_at=5,
        body="{}",
        at=1,
        http_status=500,
        reason="status",
        duration_ms=1,
        key_id=None,
        answer=None,
    )
    await desk.ledger.submit(late)
    assert await desk.states("ep_a") == ["held"]
    await desk.ledger.submit(replace(late, status="delivered", attempts=2, next_attempt_at=None))
    assert await desk.states("ep_a") == ["delivered"]
    desk.is_sound()


async def test_pages_of_deliveries_follow_each_other(desk: Desk) -> None:
    await desk.opens("ep_a")
    await desk.opens("ep_b")
    for _ in range(5):
        await desk.creates()
    whole = await desk.deliveries_of()
    assert [(each.seq, each.endpoint_id) for each in whole] == [
        (seq, name) for seq in (5, 4, 3, 2, 1) for name in ("ep_b", "ep_a")
    ]
    before, pages = FIRST, []
    while page := await desk.store.reads.deliveries_before(DeliveryFilter(), before, 3):
        pages += page
        before = (page[-1].seq, page[-1].endpoint_id)
    assert pages == whole


@pytest.mark.parametrize("wanted", [{"status": "pending"}, {"task_id": "task_none"}], ids=str)
async def test_a_filter_leaves_out_what_it_does_not_mean(
    desk: Desk, wanted: dict[str, str]
) -> None:
    await desk.opens("ep_a")
    await desk.creates()
    await desk.settles("ep_a", "delivered")
    assert await desk.deliveries_of(**wanted) == []


async def test_the_events_of_a_time_are_found_by_halves(desk: Desk) -> None:
    for _ in range(9):
        await desk.creates()
    events = (await desk.store.reads.events_of_project(None, after=0, limit=20)).events
    last_before = desk.store.reads.endpoints.last_before
    for event in events:
        older = [each.seq for each in events if each.at < event.at]
        assert await last_before(event.at) == max(older, default=0)
    assert await last_before(2**60) == 9


async def test_what_comes_in_the_batch_that_ends_a_backlog_is_not_left_behind(desk: Desk) -> None:
    await desk.opens("ep_a")
    await desk.ledger.submit(e.DisableEndpoint(endpoint_id="ep_a", reason="gone"))
    await desk.works()
    await desk.ledger.submit(e.EnableEndpoint(endpoint_id="ep_a"))
    (release,) = await desk.store.reads.endpoints.running_replays()
    await asyncio.gather(
        desk.creates(), desk.ledger.submit(e.AdvanceReplay(replay_id=release.id)), desk.creates()
    )
    assert await desk.states("ep_a") == ["pending", "pending"]


@pytest.mark.parametrize(("failures", "kept"), [(2, 2), (3, 3), (7, 3)], ids=str)
async def test_what_was_parked_is_no_head_again_when_its_endpoint_is_enabled(
    desk: Desk, failures: int, kept: int
) -> None:
    await desk.opens("ep_a")
    await desk.creates()
    (deliveries_of,) = await desk.deliveries_of(endpoint_id="ep_a")
    await desk.ledger.submit(
        c.SettleDelivery(
            endpoint_id="ep_a",
            seq=deliveries_of.seq,
            status="pending",
            attempts=failures,
            failures=failures,
            next_attempt_at=5,
            body="{}",
            at=1,
            http_status=500,
            reason="status",
            duration_ms=1,
            key_id=None,
            answer=None,
        )
    )
    for command in (
        e.DisableEndpoint(endpoint_id="ep_a", reason="gone"),
        e.EnableEndpoint(endpoint_id="ep_a"),
    ):
        await desk.ledger.submit(command)
        await desk.works()
    (head,) = await desk.heads("ep_a")
    assert head.failures == kept


@pytest.mark.parametrize("kind", ["hold", "drop"])
async def test_what_arrives_in_the_batch_that_turns_it_has_arrived(desk: Desk, kind: str) -> None:
    await desk.opens("ep_a")
    await desk.creates()
    ending = (
        e.DisableEndpoint(endpoint_id="ep_a", reason="gone")
        if kind == "hold"
        else e.DeleteEndpoint(endpoint_id="ep_a")
    )
    await desk.ledger.submit(ending)
    (job,) = await desk.store.reads.endpoints.running_replays()
    assert job.kind == kind
    (deliveries_of,) = await desk.deliveries_of(endpoint_id="ep_a")
    await asyncio.gather(
        desk.settles_one(deliveries_of, "delivered"),
        desk.ledger.submit(e.AdvanceReplay(replay_id=job.id)),
    )
    assert await desk.states("ep_a") == ["delivered"]
