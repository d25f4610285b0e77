"""The endpoints and loops of several gateways on one database, by their sessions."""

import asyncio
import threading
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Iterator,
    Mapping,
)
from contextlib import asynccontextmanager, contextmanager

import psycopg
import pytest

from gateway.store.ownership import PARTITIONS
from gateway.store.postgres.batch import BATCHES
from gateway.store.postgres.opening import prepare
from gateway.store.postgres.session import Session, partition
from tests.e2e.wait import until
from tests.postgres.databases import new_database

NAMES = tuple({partition(f"ep_{number}"): f"ep_{number}" for number in range(2_000)}.values())
"""An endpoint of each partition."""
LOCK = "SELECT pg_advisory_xact_lock(%s)"


class Gateway:
    """The subscriber of a session."""

    def __init__(self) -> None:
        self.busy_endpoints: set[str] = set()
        self.catches = 0

    def receive(self, topics: Collection[str], due: Mapping[str, str]) -> None:
        """Nothing is committed here."""

    def catch_up(self) -> None:
        """Counts."""
        self.catches += 1


class Frozen(Gateway):
    """A gateway that stands still once it owns everything."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.thaws = threading.Event()

    def catch_up(self) -> None:
        """Holds the event loop."""
        if self._session.owns(NAMES[-1]):
            self.thaws.wait()


@pytest.fixture
def url() -> Iterator[str]:
    with new_database() as url:
        prepare(url, None, lambda: "ins_1", take_over=False)
        yield url


def owned_by(session: Session) -> set[str]:
    return {name for name in NAMES if session.owns(name)}


@asynccontextmanager
async def kept(session: Session, gateway: Gateway) -> AsyncIterator[None]:
    keeping = asyncio.ensure_future(session.run(gateway))
    try:
        yield
    finally:
        gateway.busy_endpoints = set()
        session.close()
        await keeping


async def test_all_endpoints_are_shared_and_those_of_a_gateway_that_leaves_go_to_the_other(
    url: str,
) -> None:
    one, other = Session(url, "gw_1"), Session(url, "gw_2")
    async with kept(one, Gateway()):
        await until(lambda: owned_by(one) == {*NAMES}, "the first to own all")
        async with kept(other, Gateway()):
            await until(lambda: len(owned_by(other)) == PARTITIONS // 2, "the other to own half")
            assert owned_by(one).isdisjoint(owned_by(other))
            assert (one.is_leader, other.is_leader) == (True, False)
        await until(lambda: owned_by(one) == {*NAMES}, "the first to own all again")


async def test_who_gets_endpoints_looks_for_what_is_due_there(url: str) -> None:
    session, gateway = Session(url, "gw_1"), Gateway()
    async with kept(session, gateway):
        await until(lambda: session.owns(NAMES[0]), "the endpoints to come")
        assert gateway.catches > 1, "once at the start, and again when they came"


async def test_no_endpoint_goes_to_another_gateway_while_it_has_attempts_in_flight(
    url: str,
) -> None:
    one, other, busy = Session(url, "gw_1"), Session(url, "gw_2"), Gateway()
    async with kept(one, busy):
        await until(lambda: owned_by(one) == {*NAMES}, "the first to own all")
        busy.busy_endpoints = {*NAMES}
        async with kept(other, Gateway()):
            await until(lambda: len(owned_by(one)) == PARTITIONS // 2, "half of them to leave")
            await until(lambda: other.gateways == 2, "the other to look")
            version = one.version
            assert not owned_by(other)
        await until(lambda: owned_by(one) == {*NAMES}, "them to stay after all")
        assert one.version > version, "what came for them meanwhile was passed over"


async def test_a_gateway_that_stands_still_loses_its_endpoints_and_starts_nothing_more(
    url: str,
) -> None:
    one, other = Session(url, "gw_1", silent_for=1), Session(url, "gw_2")
    frozen = Frozen(one)
    with running_beside(lambda: one.run(frozen)):
        await until(lambda: owned_by(one) == {*NAMES}, "the first to own all")
        try:
            async with kept(other, Gateway()):
                await until(lambda: owned_by(other) == {*NAMES}, "the other to own all")
                assert not owned_by(one)
                assert other.is_leader
                assert not one.is_leader
        finally:
            one.close()
            frozen.thaws.set()


HOLDS = """
SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = %s"""


async def stand_still(connection: psycopg.AsyncConnection, meanwhile: Awaitable[object]) -> None:
    """In the middle of a batch: the server waits for the end of a pipeline."""
    async with connection.pipeline():
        await connection.execute(LOCK, [BATCHES])
        connection.pgconn.send_flush_request()
        connection.pgconn.flush()
        await meanwhile


async def test_a_gateway_that_stands_still_between_the_statements_of_a_batch_is_thrown_out(
    url: str,
) -> None:
    async with (
        await psycopg.AsyncConnection.connect(url) as frozen,
        await psycopg.AsyncConnection.connect(url) as other,
        kept(Session(url, "gw_1", silent_for=1), Gateway()),
    ):
        await other.set_autocommit(True)
        with pytest.raises(psycopg.OperationalError):
            await stand_still(frozen, locked_behind(frozen.info.backend_pid, other))


async def locked_behind(pid: int, other: psycopg.AsyncConnection) -> None:
    """The lock of batches, once this process has had it."""
    held = False
    while not held:
        found = await (await other.execute(HOLDS, [pid])).fetchone()
        held = found is not None
    await other.execute(LOCK, [BATCHES])


@contextmanager
def running_beside(run: Callable[[], Coroutine[None, None, None]]) -> Iterator[None]:
    """An event loop of its own, which may stand still."""
    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    yield
    thread.join()
