"""Replays in the store, and the deliveries that they and their endpoints change."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from gateway.domain.deliveries.delivery import PARK_AFTER
from gateway.domain.deliveries.outbox import Outbox
from gateway.domain.deliveries.replay import Replay
from gateway.store.sql import rows
from gateway.store.sql.connection import Queries
from gateway.store.sql.part import Loading
from gateway.store.sql.rows import DELIVERY_STATE, REPLAY, Params

REPLAYS: Final = f"""
SELECT {REPLAY} FROM replays WHERE id IN (SELECT value FROM json_each(:ids))"""

BACKLOGS: Final = f"""
SELECT {REPLAY} FROM replays
WHERE endpoint_id IN (SELECT value FROM json_each(:ids)) AND status = 'running'"""

RUNNING_REPLAYS: Final = f"""
SELECT {REPLAY} FROM replays WHERE status = 'running' ORDER BY endpoint_id"""

SHOWN_RUNNING: Final = f"""
SELECT {REPLAY.of("replay")}, endpoint.origin
FROM replays AS replay INDEXED BY replays_running
CROSS JOIN endpoints AS endpoint ON endpoint.id = replay.endpoint_id
WHERE replay.status = 'running' AND endpoint.deleted_at IS NULL
ORDER BY replay.endpoint_id LIMIT :limit"""

# The ids of those that people start grow with time, and are below 8; it passes over the few jobs
# that follow the state of an endpoint.
SHOWN_ENDED: Final = f"""
SELECT {REPLAY.of("replay")}, endpoint.origin
FROM replays AS replay CROSS JOIN endpoints AS endpoint ON endpoint.id = replay.endpoint_id
WHERE replay.id < 'rpl_8' AND replay.kind = 'replay' AND replay.status <> 'running'
  AND endpoint.deleted_at IS NULL
ORDER BY replay.id DESC LIMIT :limit"""

UPSERT_REPLAYS: Final = REPLAY.upsert("replays", "id")

SETTLED_NEXT: Final = """
SELECT seq FROM deliveries
WHERE endpoint_id = :endpoint_id AND seq > :after AND seq <= :until
  AND status IN ('delivered', 'dead')
ORDER BY seq LIMIT :limit"""

DEAD_NEXT: Final = """
SELECT seq FROM deliveries INDEXED BY deliveries_missed
WHERE status = 'dead' AND seq > :after AND seq <= :until AND endpoint_id = :endpoint_id
ORDER BY seq LIMIT :limit"""

HELD_NEXT: Final = """
SELECT seq FROM deliveries INDEXED BY deliveries_missed
WHERE status = 'held' AND seq > :after AND seq <= :until AND endpoint_id = :endpoint_id
ORDER BY seq LIMIT :limit"""

# From the end: what is left while some are held already are the older ones of each task.
PENDING_LAST: Final = """
SELECT seq FROM deliveries INDEXED BY deliveries_lane
WHERE endpoint_id = :endpoint_id AND status = 'pending' AND seq <= :until
ORDER BY task_id DESC, task_seq DESC LIMIT :limit"""

# Joined, not IN: only so SQLite seeks by both columns.
DELIVERY_STATES: Final = """
SELECT
    delivery.seq, delivery.endpoint_id, delivery.task_seq, delivery.status, delivery.attempts,
    delivery.failures, delivery.next_attempt_at, delivery.reason
FROM json_each(:keys) AS wanted CROSS JOIN deliveries AS delivery
    ON delivery.endpoint_id = json_extract(wanted.value, '$[0]')
    AND delivery.seq = CAST(json_extract(wanted.value, '$[1]') AS BIGINT)"""

# No more failures than park one: see the lanes. What has an end keeps it, unless somebody asked
# for it again: its answer may have come in this very batch.
UPDATE_DELIVERIES: Final = """
UPDATE deliveries SET
    status = :status, next_attempt_at = :next_attempt_at, trigger = :trigger,
    failures = coalesce(:failures, min(failures, :park_after)), reason = :reason
WHERE endpoint_id = :endpoint_id AND seq = :seq
  AND (:trigger <> 'auto' OR status = 'pending' OR status = 'held')"""

# What has arrived once is not taken back, and what failed keeps its own schedule.
HASTEN_CALLBACKS: Final = """
UPDATE deliveries SET next_attempt_at = :at
WHERE endpoint_id = :endpoint_id AND task_id = :task_id AND status = 'pending' AND attempts = 0
  AND next_attempt_at > :at"""

SUPERSEDE_CALLBACKS: Final = """
UPDATE deliveries SET
    status = iif(repeats = 2, 'delivered', 'superseded'), next_attempt_at = NULL, repeats = 0
WHERE endpoint_id = :endpoint_id AND task_id = :task_id AND status = 'pending'
  AND seq IN (
    SELECT seq FROM events WHERE task_id = :task_id AND type IN (
        'task.completed', 'task.needs_review', 'task.failed', 'task.timed_out', 'task.cancelled',
        'task.expired'))"""

ONE_REPLAY: Final = f"SELECT {REPLAY} FROM replays WHERE id = :id"

PENDING_OF: Final = """
SELECT count(*) FROM (
    SELECT 1 FROM deliveries INDEXED BY deliveries_lane
    WHERE endpoint_id = :endpoint_id AND status = 'pending' LIMIT :most) AS pending"""

EVENT_FROM: Final = "SELECT seq, at FROM events WHERE seq >= :seq ORDER BY seq LIMIT 1"

NEWEST_SEQ: Final = "SELECT seq FROM ledger"

_PAGES: Final = {
    "replay": (SETTLED_NEXT,),
    "hold": (PENDING_LAST,),
    "release": (HELD_NEXT,),
    "drop": (HELD_NEXT, PENDING_LAST),
}


async def load_replays(loading: Loading) -> None:
    """The replays that are named or that run on named endpoints, each with its next deliveries."""
    outbox, wanted = loading.unit.outbox, loading.wanted
    for replay in map(REPLAY.read, await loading.of(BACKLOGS, wanted.backlogs)):
        outbox.replays[replay.id] = replay
    for replay in map(REPLAY.read, await loading.of(REPLAYS, wanted.replays)):
        outbox.replays[replay.id] = replay
        outbox.pages[replay.id] = await _page(loading, replay, wanted.replays[replay.id])
    for seq, *state in await loading.of(DELIVERY_STATES, wanted.deliveries, "keys"):
        outbox.delivery_states[state[0], seq] = DELIVERY_STATE.read(state)


async def _page(loading: Loading, replay: Replay, limit: int) -> tuple[int, ...]:
    given = {
        "endpoint_id": replay.endpoint_id,
        # What `drop` and `hold` turn is no longer found afterwards, in whatever order it comes.
        "after": replay.after_seq if replay.kind in {"replay", "release"} else 0,
        "until": replay.until_seq,
        "limit": limit,
    }
    statements = (DEAD_NEXT,) if replay.only_failed else _PAGES[replay.kind]
    found = [await loading.all(statement, given) for statement in statements]
    return tuple(row[0] for row in chain.from_iterable(found))[:limit]


def write_replays(outbox: Outbox) -> Iterator[tuple[str, Sequence[Params]]]:
    """New and changed replays, and the deliveries that change with them."""
    yield UPSERT_REPLAYS, [*map(REPLAY.values, outbox.changed_replays.values())]
    parked = {"park_after": PARK_AFTER}
    yield UPDATE_DELIVERIES, [rows.named(each) | parked for each in outbox.delivery_updates]
    yield HASTEN_CALLBACKS, [rows.named(it) for it in outbox.callbacks if it.at is not None]
    yield (
        SUPERSEDE_CALLBACKS,
        [
            {"endpoint_id": it.endpoint_id, "task_id": it.task_id}
            for it in outbox.callbacks
            if it.at is None
        ],
    )


class ReplayQueries(Queries):
    """The reads of replays."""

    async def replay(self, replay_id: str) -> Replay | None:
        row = await self._one(ONE_REPLAY, {"id": replay_id})
        return REPLAY.read(row) if row else None

    async def running_replays(self) -> list[Replay]:
        return [*map(REPLAY.read, await self._all(RUNNING_REPLAYS))]

    async def replays(self, *, running: int, ended: int) -> list[tuple[Replay, str]]:
        rows = [*await self._all(SHOWN_RUNNING, {"limit": running})]
        rows += await self._all(SHOWN_ENDED, {"limit": ended})
        return [(REPLAY.read(row[:-1]), row[-1]) for row in rows]

    async def pending_of(self, endpoint_id: str, most: int) -> int:
        row = await self._one(PENDING_OF, {"endpoint_id": endpoint_id, "most": most})
        return int(row[0]) if row else 0

    async def last_before(self, moment: int) -> int:
        newest = await self._one(NEWEST_SEQ)
        low, high = 0, int(newest[0]) if newest else 0
        # Numbers grow with time, of which there is no index: 20 looks find one in a million.
        while low < high:
            middle = (low + high + 1) // 2
            found = await self._one(EVENT_FROM, {"seq": middle})
            if found and found[1] < moment:
                low = max(middle, found[0])
            else:
                high = middle - 1
        return low
