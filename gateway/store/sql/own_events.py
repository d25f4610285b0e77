"""Own events in the store: what the log does not say of them, and the ids that they came under."""

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.domain.deliveries.own_event import OwnEvent, PostedEvent
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.sql.part import Loading
from gateway.store.sql.rows import Params

INSERT_OWN_EVENTS: Final = """
INSERT INTO own_events (seq, project, customer, event_id, deliveries)
VALUES (:seq, :project, :customer, :event_id, :deliveries)"""

POSTED: Final = """
SELECT own.seq, own.project, own.customer, own.event_id, own.deliveries, event.type, event.at,
    event.body_hash
FROM json_each(:keys) AS wanted
CROSS JOIN own_events AS own ON own.project = json_extract(wanted.value, '$[0]')
    AND own.event_id = json_extract(wanted.value, '$[1]')
CROSS JOIN events AS event ON event.seq = own.seq"""

# Of a long lane only its end is looked at.
NEWEST_OF_LANES: Final = """
SELECT wanted.value, (
    SELECT task_seq FROM events WHERE task_id = wanted.value ORDER BY task_seq DESC LIMIT 1)
FROM json_each(:ids) AS wanted"""


async def load_own_events(loading: Loading) -> None:
    """Events that were posted under these ids, and the newest numbers of these lanes."""
    own_events, wanted = loading.unit.own_events, loading.wanted
    for row in await loading.of(POSTED, wanted.own_events, "keys"):
        seq, project, customer, event_id, deliveries, kind, at, digest = row
        own = OwnEvent(
            seq=seq, project=project, customer=customer, event_id=event_id, deliveries=deliveries
        )
        own_events.posted[project, event_id] = PostedEvent(own=own, type=kind, at=at, digest=digest)
    for lane, number in await loading.of(NEWEST_OF_LANES, wanted.lanes):
        own_events.lanes[lane] = number or 0


def write_own_events(unit: UnitOfWork, first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """New ones, by the numbers of their events."""
    yield (
        INSERT_OWN_EVENTS,
        [
            {
                "seq": first - 1 + own.offset,
                "project": own.project,
                "customer": own.customer,
                "event_id": own.event_id,
                "deliveries": own.deliveries,
            }
            for own in unit.own_events.new
        ],
    )
