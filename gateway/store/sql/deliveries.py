"""Deliveries in the store: new ones, the results of attempts, and the lists that people read."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.domain.deliveries.delivery import DeliveryState
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.records import Delivery, DeliveryAttempt, DeliveryFilter
from gateway.store.sql import rows
from gateway.store.sql.connection import Queries
from gateway.store.sql.part import Loading
from gateway.store.sql.rows import DELIVERY_STATE, Params, Row

UNDELIVERED_TASKS: Final = """
SELECT DISTINCT task_id FROM deliveries
WHERE task_id IN (SELECT value FROM json_each(:ids)) AND status IN ('pending', 'held')"""

INSERT_DELIVERIES: Final = """
INSERT INTO deliveries (
    endpoint_id, seq, task_id, task_seq, status, attempts, next_attempt_at, repeats)
VALUES (:endpoint_id, :seq, :task_id, :task_seq, :status, 0, :next_attempt_at, :repeats)"""

# What arrived has arrived, also if the delivery was held or ended while it was under way. Its task
# may have been purged meanwhile: then no text of it is stored any more.
SETTLE_DELIVERIES: Final = """
UPDATE deliveries SET
    status = iif(status = 'pending' OR :status = 'delivered', :status, status),
    next_attempt_at = CASE WHEN status = 'pending' THEN CAST(:next_attempt_at AS BIGINT) END,
    attempts = max(attempts, CAST(:attempts AS BIGINT)), failures = :failures,
    trigger = 'auto', repeats = :repeats,
    body = iif(
        EXISTS (SELECT 1 FROM tasks WHERE id = deliveries.task_id AND purged_at IS NOT NULL),
        NULL, coalesce(:body, body))
WHERE endpoint_id = :endpoint_id AND seq = :seq"""

# A gateway that has lost its endpoints still settles what it had in flight, and the next one has
# made the same attempt again: the first one to be settled is recorded.
INSERT_DELIVERY_ATTEMPTS: Final = """
INSERT INTO delivery_attempts (
    endpoint_id, seq, number, at, trigger, status, reason, duration_ms, key_id, response_body)
VALUES (
    :endpoint_id, :seq, :attempts, :at, :trigger, :http_status, :reason, :duration_ms, :key_id,
    iif(
        EXISTS (
            SELECT 1 FROM deliveries AS delivery CROSS JOIN tasks AS task
            WHERE delivery.endpoint_id = :endpoint_id AND delivery.seq = :seq
              AND task.id = delivery.task_id AND task.purged_at IS NOT NULL),
        NULL, :answer))
ON CONFLICT (endpoint_id, seq, number) DO NOTHING"""

# The index of a task's deliveries backwards: what one with many thousands owes is looked for
# among the newest, not among all.
UNDELIVERED: Final = """
SELECT endpoint_id, task_seq, status, attempts, failures, next_attempt_at, (
    SELECT iif(reason = 'status', 'HTTP ' || attempt.status, reason)
    FROM delivery_attempts AS attempt
    WHERE attempt.endpoint_id = newest.endpoint_id AND attempt.seq = newest.seq
    ORDER BY number DESC LIMIT 1)
FROM (
    SELECT endpoint_id, seq, task_seq, status, attempts, failures, next_attempt_at
    FROM deliveries
    WHERE task_id = :task_id ORDER BY endpoint_id DESC, seq DESC LIMIT :limit) AS newest
WHERE status IN ('pending', 'dead', 'held')
ORDER BY seq"""

# The event is joined by its number, one seek for each delivery that is shown.
_COLUMNS: Final = """
    delivery.endpoint_id, delivery.seq, delivery.task_id, event.at, event.type, delivery.status,
    delivery.next_attempt_at, delivery.reason"""
_SHOWN: Final = f"{_COLUMNS} FROM deliveries AS delivery"

_EVENT: Final = "CROSS JOIN events AS event ON event.seq = delivery.seq"

NEWEST_DELIVERIES: Final = f"""SELECT {_SHOWN} {_EVENT}
WHERE delivery.task_id = :task_id
ORDER BY delivery.seq DESC, delivery.endpoint_id DESC LIMIT :limit"""

ONE_DELIVERY: Final = f"""SELECT {_SHOWN} {_EVENT}
WHERE delivery.endpoint_id = :endpoint_id AND delivery.seq = :seq"""

_BEFORE: Final = """(delivery.seq, delivery.endpoint_id) < (:seq, :before)
  AND (CAST(:endpoint_id AS TEXT) IS NULL OR delivery.endpoint_id = :endpoint_id)
  AND (CAST(:status AS TEXT) IS NULL OR delivery.status = :status)
ORDER BY delivery.seq DESC, delivery.endpoint_id DESC LIMIT :limit"""

DELIVERIES_OF_TASK: Final = f"""SELECT {_SHOWN} {_EVENT}
WHERE delivery.task_id = :task_id AND {_BEFORE}"""

DELIVERIES_OF_ENDPOINT: Final = f"""SELECT {_SHOWN} {_EVENT}
WHERE delivery.endpoint_id = :endpoint_id AND delivery.seq <= :seq AND {_BEFORE}"""

ALL_DELIVERIES: Final = f"""SELECT {_SHOWN} INDEXED BY deliveries_of_event {_EVENT}
WHERE delivery.seq <= :seq AND {_BEFORE}"""

# Its condition is that of the index, word for word.
MISSED_DELIVERIES: Final = f"""SELECT {_SHOWN} INDEXED BY deliveries_missed {_EVENT}
WHERE (delivery.status = 'dead' OR delivery.status = 'held' OR delivery.status = 'superseded')
  AND delivery.status = :status AND delivery.seq <= :seq AND {_BEFORE}"""

PENDING_DELIVERIES: Final = f"""SELECT {_SHOWN} INDEXED BY deliveries_due {_EVENT}
WHERE delivery.status = 'pending' AND {_BEFORE}"""

# Joined, not IN: only so SQLite seeks by both columns.
DELIVERY_ATTEMPTS: Final = """
SELECT
    attempt.endpoint_id, attempt.seq, attempt.at, attempt.trigger, attempt.status, attempt.reason,
    attempt.duration_ms, attempt.key_id, attempt.response_body
FROM json_each(:keys) AS wanted CROSS JOIN delivery_attempts AS attempt
    ON attempt.endpoint_id = json_extract(wanted.value, '$[0]')
    AND attempt.seq = CAST(json_extract(wanted.value, '$[1]') AS BIGINT)
ORDER BY attempt.number"""

# The newest of each endpoint: how many each has does not matter.
NEWEST_OF_OWNER: Final = """deliveries AS delivery ON delivery.endpoint_id = owner.id
    AND delivery.seq IN (
        SELECT seq FROM deliveries
        WHERE endpoint_id = owner.id AND seq <= :seq
          AND (CAST(:status AS TEXT) IS NULL OR status = :status)
        ORDER BY seq DESC LIMIT :limit + 1)"""

DELIVERIES_OF_CUSTOMER: Final = f"""SELECT {_COLUMNS}
FROM endpoints AS owner CROSS JOIN {NEWEST_OF_OWNER}
{_EVENT}
WHERE owner.customer = :customer AND owner.deleted_at IS NULL
  AND (CAST(:project AS TEXT) IS NULL OR owner.project = :project)
  AND (CAST(:task_id AS TEXT) IS NULL OR delivery.task_id = :task_id) AND {_BEFORE}"""

# What the statements of shown deliveries give, but the attempts.
_DELIVERY: Final = Delivery.__struct_fields__[:-1]
_ATTEMPT: Final = DeliveryAttempt.__struct_fields__


async def load_deliveries(loading: Loading) -> None:
    """The tasks among these with deliveries that are pending or held."""
    found = await loading.of(UNDELIVERED_TASKS, loading.wanted.undelivered)
    loading.unit.deliveries.undelivered.update(row[0] for row in found)


def write_deliveries(unit: UnitOfWork, first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """New deliveries, by the numbers of their events, and settled ones."""
    events = enumerate(unit.events.new, first) if unit.deliveries.new else ()
    numbers = {(event.task_id, event.task_seq): seq for seq, event in events}
    yield (
        INSERT_DELIVERIES,
        [
            {
                "endpoint_id": new.endpoint_id,
                "seq": numbers[new.event.task_id, new.event.task_seq],
                "task_id": new.event.task_id,
                "task_seq": new.event.task_seq,
                "status": new.status,
                "next_attempt_at": new.next_attempt_at,
                "repeats": new.repeats,
            }
            for new in unit.deliveries.new
        ],
    )
    settled = [*map(rows.named, unit.deliveries.settled)]
    yield SETTLE_DELIVERIES, settled
    made = zip(unit.deliveries.settled, settled, strict=True)
    yield INSERT_DELIVERY_ATTEMPTS, [named for each, named in made if each.is_attempt]


class DeliveryQueries(Queries):
    """The reads of deliveries."""

    async def deliveries(self, task_id: str, limit: int) -> list[Delivery]:
        found = await self._all(NEWEST_DELIVERIES, {"task_id": task_id, "limit": limit})
        return await self._with_attempts([*found][::-1])

    async def delivery(self, endpoint_id: str, seq: int) -> Delivery | None:
        found = await self._all(ONE_DELIVERY, {"endpoint_id": endpoint_id, "seq": seq})
        return next(iter(await self._with_attempts([*found])), None)

    async def deliveries_before(
        self, wanted: DeliveryFilter, before: tuple[int, str], limit: int
    ) -> list[Delivery]:
        given = {**rows.named(wanted), "seq": before[0], "before": before[1], "limit": limit}
        return await self._with_attempts([*await self._all(_statement(wanted), given)])

    async def undelivered(self, task_id: str, limit: int) -> list[DeliveryState]:
        found = await self._all(UNDELIVERED, {"task_id": task_id, "limit": limit})
        return [*map(DELIVERY_STATE.read, found)]

    async def _with_attempts(self, found: list[Row]) -> list[Delivery]:
        made: dict[tuple[str, int], list[DeliveryAttempt]] = defaultdict(list)
        keys = [(row[0], row[1]) for row in found]
        for endpoint_id, seq, *values in await self._all(DELIVERY_ATTEMPTS, {"keys": keys}):
            attempt = DeliveryAttempt(**dict(zip(_ATTEMPT, values, strict=True)))
            made[endpoint_id, seq].append(attempt)
        return [
            Delivery(**dict(zip(_DELIVERY, row, strict=True)), attempts=tuple(made[row[0], row[1]]))
            for row in found
        ]


def _statement(wanted: DeliveryFilter) -> str:
    """The statement that reads the fewest others on its way."""
    if wanted.customer is not None:
        return DELIVERIES_OF_CUSTOMER
    if wanted.task_id is not None:
        return DELIVERIES_OF_TASK
    if wanted.status in {"dead", "held", "superseded"}:
        return MISSED_DELIVERIES
    if wanted.status == "pending":
        return PENDING_DELIVERIES
    return ALL_DELIVERIES if wanted.endpoint_id is None else DELIVERIES_OF_ENDPOINT
