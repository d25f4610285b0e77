"""Alerts: events about the whole installation, once when they begin and once when they are over."""

from typing import Final

import pytest

from gateway.domain.operations.alert_changes import SETTLED_AFTER
from gateway.domain.operations.status import DiskState
from gateway.domain.tasks.event import AlertEventData
from gateway.loops.alerts import AlertWatch
from gateway.store.administration import audit, open_database
from tests.store.test_endpoints import Desk
from tests.stores import NewDatabase, ledger_on

START: Final = 1_790_000_000_000
FULL: Final = DiskState(free=10, min_free=20)
ROOMY: Final = DiskState(free=30, min_free=20)


class Watched:
    """A watch whose clock and disk are set by hand."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.now = START
        self.disk = ROOMY
        self.restart()

    def restart(self) -> None:
        self.watch = AlertWatch(
            self.desk.store.reads, self.desk.ledger.submit, lambda: self.now, lambda: self.disk
        )

    async def passes(self, milliseconds: int) -> None:
        """Time passes, with a look at its beginning and at its end."""
        await self.watch.step()
        self.now += milliseconds
        await self.watch.step()

    async def told(self) -> list[tuple[str, str]]:
        """All events about the installation so far."""
        page = await self.desk.store.reads.events_of_project(
            None, ["ops.launcher_lost", "ops.queue_old", "ops.disk_low"], after=0, limit=50
        )
        facts = [(event.type, event.fact) for event in page.events]
        return [(kind, fact.state) for kind, fact in facts if isinstance(fact, AlertEventData)]


async def test_one_is_told_once_and_its_end_once_whatever_is_restarted(
    database: NewDatabase,
) -> None:
    async with ledger_on(database) as (ledger, store):
        desk = Desk(database, ledger, store)
        await desk.opens("ep_all", event_types=("*",))
        await desk.opens("ep_ops", event_types=("ops.*",))
        watched = Watched(desk)
        watched.disk = FULL
        await watched.passes(SETTLED_AFTER - 1)
        assert await watched.told() == []
        await watched.passes(1)
        firing = ("ops.disk_low", "firing")
        assert await watched.told() == [firing]
        for _ in range(2):
            watched.restart()
            await watched.passes(SETTLED_AFTER)
        assert await watched.told() == [firing]
        watched.disk = ROOMY
        await watched.passes(SETTLED_AFTER - 1)
        watched.disk = FULL  # it was gone for too short a time
        await watched.passes(SETTLED_AFTER)
        assert await watched.told() == [firing]
        watched.restart()
        watched.disk = ROOMY
        await watched.passes(SETTLED_AFTER)
        resolved = ("ops.disk_low", "resolved")
        assert await watched.told() == [firing, resolved]
        watched.disk = FULL
        await watched.passes(SETTLED_AFTER)
        assert await watched.told() == [firing, resolved, firing]
    found = audit(database.location)
    assert (found.problems, found.pending) == ((), 3)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE alerts SET since = NULL", "row_differs"),
        ("UPDATE alerts SET seq = 2", "row_differs"),
        ("DELETE FROM deliveries", "delivery_missing"),
        ("UPDATE events SET data = '{}' WHERE type = 'ops.disk_low'", "event_unreadable"),
    ],
)
async def test_the_audit_sees_what_is_wrong_with_one(
    database: NewDatabase, statement: str, problem: str
) -> None:
    async with ledger_on(database) as (ledger, store):
        desk = Desk(database, ledger, store)
        await desk.opens("ep_ops", event_types=("ops.*",))
        watched = Watched(desk)
        watched.disk = FULL
        await watched.passes(SETTLED_AFTER)
    with open_database(database.location) as opened:
        opened.write(statement, [()])
    assert any(problem in each for each in database.problems())
