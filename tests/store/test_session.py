"""The session of a gateway: its place among others, and which events it has not been told of."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import psycopg

from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.deliveries.outbox import CallbackTurn
from gateway.domain.deliveries.replay import DeliveryUpdate
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.ownership import PARTITIONS
from gateway.store.postgres.notifications import CHANNEL, decoded, payloads
from gateway.store.postgres.session import Informed, Session, partition
from tests.launcher.conditions import until
from tests.postgres.reused import reused_database
from tests.stores import ServerDatabase


def test_own_commits_that_follow_one_another_leave_no_gap() -> None:
    informed = Informed()
    informed.restart(10)
    assert [informed.add(10, 12), informed.add(12, 12), informed.add(12, 20)] == [True] * 3


def test_a_gap_lasts_until_another_gateway_has_told_of_it() -> None:
    informed = Informed()
    informed.restart(10)
    assert not informed.add(11, 12)  # 11 is of another gateway
    assert not informed.add(12, 14)
    informed.add(10, 11)  # the notification
    assert informed.add(14, 15)


def test_notifications_that_come_late_or_twice_change_nothing() -> None:
    informed = Informed()
    informed.restart(10)
    informed.add(3, 7)
    informed.add(7, 12)
    assert informed.add(12, 13)


def test_own_commits_during_a_restart_leave_no_gap() -> None:
    informed = Informed()
    informed.add(10, 11)  # while the number of the newest event was read
    informed.restart(10)
    assert informed.add(11, 12)


def test_endpoints_spread_over_all_partitions() -> None:
    assert {partition(f"ep_{number}") for number in range(2_000)} == set(range(PARTITIONS))


def test_endpoints_that_come_during_a_commit_are_a_change() -> None:
    session, unit = Session("", "gw_1"), UnitOfWork(policy=Policy(key_id="k1"))
    session.begin()
    session.follow(unit)
    assert session.is_unchanged
    session.begin()
    session.version += 1
    session.follow(unit)
    assert not session.is_unchanged


class Idle:
    """A subscriber with nothing in flight."""

    busy_endpoints = frozenset[str]()

    def receive(self, topics: object, due: object) -> None:
        """Nothing to look at."""

    def catch_up(self) -> None:
        """Nothing to look at."""


async def test_a_session_ends_when_it_is_closed_and_not_at_its_next_look() -> None:
    with reused_database() as reused:
        async with ServerDatabase(reused).opened(), asyncio.TaskGroup() as group:
            session = Session(reused.address.url, "gw_1", look_every=3_600)
            group.create_task(session.run(Idle()))
            await until(lambda: session.is_leader and session.owns("ep_1"), "its place")
            session.close()
        assert not session.owns("ep_1")


async def test_a_session_outlives_what_others_send_on_its_channel() -> None:
    seen: list[str] = []

    class Looking(Idle):
        def receive(self, topics: object, due: object) -> None:
            seen.append("received")

        def catch_up(self) -> None:
            seen.append("caught up")

    def refuse(message: str) -> None:
        raise ValueError(message)

    with reused_database() as reused:
        async with ServerDatabase(reused).opened(), asyncio.TaskGroup() as group:
            session = Session(reused.address.url, "gw_1", look_every=3_600)
            session.receivers.extend((refuse, seen.append))
            group.create_task(session.run(Looking()))
            await until(lambda: session.owns("ep_1"), "its place")
            seen.clear()
            with psycopg.connect(reused.address.url, autocommit=True) as other:
                message = '{"sender":"gw_2","message":"?"}'
                for payload in ("", "[]", message, '{"sender":"gw_2","topics":["due"]}'):
                    other.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
            await until(lambda: "received" in seen, "the notification behind them")
            session.close()
    assert seen == ["caught up", "caught up", "?", "received"]


def test_notifications_are_as_short_as_postgresql_takes_them() -> None:
    topics = [f"project:{chr(0x1F600 + number) * 100}" for number in range(50)]
    sent = [*payloads("gw_1", topics, UnitOfWork(policy=Policy(key_id="k1")))]
    assert max(len(payload.encode()) for payload in sent) < 8_000
    assert sum(payload.count("project:") for payload in sent) == len(topics)


def test_endpoints_are_told_of_whose_deliveries_somebody_has_moved() -> None:
    unit = UnitOfWork(policy=Policy(key_id="k1"))
    for number in range(3):
        unit.outbox.directory.put(Endpoint(id=f"ep_{number}", project="default", origin=""))
    unit.outbox.delivery_updates.append(
        DeliveryUpdate(endpoint_id="ep_1", seq=1, status="pending", failures=0, next_attempt_at=1)
    )
    unit.outbox.callbacks.append(CallbackTurn(endpoint_id="ep_2", task_id="task_1", at=1))
    (payload,) = payloads("gw_1", (), unit)
    assert decoded(payload).due == {"ep_1": "default", "ep_2": "default"}


class Scripted:
    """A connection whose second look takes so long that its gateway no longer relies on the first,
    and still relies on its own beginning."""

    def __init__(self) -> None:
        self.now = 0.0
        self.looks: list[bool] = []
        self.session = Session("", "gw_1", connect=self.connected, monotonic=lambda: self.now)
        self.taken = frozenset[int]()

    @asynccontextmanager
    async def connected(self, _url: str) -> AsyncIterator["Scripted"]:
        """Itself."""
        yield self

    async def enter(self, silent_for: float) -> None:
        """Nothing."""

    async def newest(self) -> int:
        """No event."""
        return 0

    async def look(self) -> tuple[int, frozenset[int], frozenset[int]]:
        """One gateway; the second time a second later."""
        if self.taken:
            self.now += 1
            self.looks.append(self.session.owns("ep_1"))
        return 1, self.taken, self.taken

    async def take(self, locks: Sequence[int]) -> frozenset[int]:
        """All of them."""
        self.taken |= {lock for lock in locks if lock < PARTITIONS}
        return frozenset(locks)

    async def give(self, locks: Collection[int]) -> None:
        """All are given at the end."""
        self.taken -= {*locks}

    async def payloads(self, seconds: float) -> AsyncIterator[str]:
        """None come."""
        self.now += 2.5
        if self.looks:
            self.session.close()
        nothing: tuple[str, ...] = ()
        for payload in nothing:
            yield payload


async def test_what_was_passed_over_during_a_slow_look_is_read_again() -> None:
    versions: list[int] = []

    class Noting(Idle):
        def catch_up(self) -> None:
            versions.append(connection.session.version)

    connection = Scripted()
    await connection.session.run(Noting())
    assert connection.looks[0] is False, "meanwhile it relied on nothing"
    assert len(versions) == 3, "at the start, when the endpoints came, and after that"
