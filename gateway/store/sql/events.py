"""Events in the store: the log of a task, the pieces of its patches, and the feed of a project in
steps of bounded work."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

import json
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final

from gateway.domain.agents.patch import StoredPiece
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import Event
from gateway.store.records import NO_NUMBER, FeedEvent, FeedPage
from gateway.store.sql import rows
from gateway.store.sql.connection import Queries, Query
from gateway.store.sql.part import Loading
from gateway.store.sql.rows import EVENT, FEED_EVENT, PIECE, Params

LARGEST_STEP: Final = 2_000
"""Numbers that one statement looks at: a few milliseconds of the reading connection."""
BUDGET: Final = 20_000
"""Numbers that one request looks at; then its page ends, however short, and its cursor goes on."""

# Joined, not IN: only so SQLite seeks in `events_heard` instead of reading the task's whole log.
WEBHOOKS_SEEN: Final = """
SELECT event.task_id, event.attempt, event.webhook_id, event.body_hash
FROM json_each(:keys) AS wanted CROSS JOIN events AS event
    ON event.task_id = json_extract(wanted.value, '$[0]')
    AND event.attempt = CAST(json_extract(wanted.value, '$[1]') AS BIGINT)
    AND event.webhook_id = json_extract(wanted.value, '$[2]')"""

INSERT_EVENTS: Final = EVENT.numbered(f"INSERT INTO events ({EVENT}) VALUES ({EVENT.marks})")

INSERT_PIECES: Final = """
INSERT INTO patch_pieces (task_id, task_seq, attempt, revision, start, length, size, chunk)
VALUES (:task_id, :task_seq, :attempt, :revision, :start, :length, :size, :chunk)"""

# The index alone, and the data of their events; the texts are read when they are sent on.
PIECES: Final = """
SELECT piece.task_seq, piece.attempt, piece.revision, piece.start, piece.length, piece.size,
    event.data
FROM patch_pieces AS piece CROSS JOIN events AS event
    ON event.task_id = piece.task_id AND event.task_seq = piece.task_seq
WHERE piece.task_id = :task_id AND (CAST(:attempt AS BIGINT) IS NULL OR piece.attempt = :attempt)
ORDER BY piece.task_seq"""

CHUNKS: Final = """
SELECT task_seq, chunk FROM patch_pieces
WHERE task_id = :task_id AND task_seq IN (
    SELECT CAST(value AS BIGINT) FROM json_each(:numbers))"""

# The position of a cursor within a task, in the order of its index. Almost always the cursor is an
# event of the task itself; for any other number the log is walked from its end.
_POSITION: Final = """coalesce(
    (SELECT task_seq FROM events WHERE seq = :after AND task_id = :task_id),
    (SELECT max(task_seq) FROM events WHERE :after > 0 AND task_id = :task_id AND seq < :after),
    0)"""

EVENTS_OF_TASK: Final = f"""
SELECT {EVENT} FROM events
WHERE task_id = :task_id AND task_seq > {_POSITION} ORDER BY task_seq LIMIT :limit"""

EVENTS_OF_TYPES: Final = f"""
SELECT {EVENT} FROM events
WHERE task_id = :task_id AND (applied = 1 OR :is_late_too = 1) AND task_seq > {_POSITION}
  AND type IN (SELECT value FROM json_each(:types))
ORDER BY task_seq LIMIT :limit"""

LAST_EVENT: Final = f"""
SELECT {EVENT} FROM events
WHERE task_id = :task_id AND applied = 1 AND type = :type AND task_seq <= {_POSITION}
ORDER BY task_seq DESC LIMIT 1"""

NEWEST_EVENTS: Final = f"""
SELECT {EVENT} FROM events
WHERE task_id = :task_id AND seq < :before
  AND (CAST(:types AS TEXT) IS NULL OR type IN (SELECT value FROM json_each(:types)))
ORDER BY task_seq DESC LIMIT :limit"""

PRUNED: Final = """
SELECT max(seq) FROM pruned WHERE CAST(:project AS TEXT) IS NULL OR project = :project"""

# Own types are wanted by patterns: `invoice.*`, `*`.
OWN_WANTED: Final = """(
    event.task_id >= 'own_' AND event.task_id < 'own`' AND EXISTS (
        SELECT 1 FROM json_each(:types) AS wanted
        WHERE substr(wanted.value, length(wanted.value)) = '*'
          AND substr(event.type, 1, length(wanted.value) - 1)
            = substr(wanted.value, 1, length(wanted.value) - 1)))"""

EVENTS_OF_PROJECT: Final = f"""
SELECT {EVENT.of("event")},
    (SELECT customer FROM own_events WHERE seq = event.seq),
    (SELECT event_id FROM own_events WHERE seq = event.seq)
FROM events AS event LEFT JOIN tasks AS task ON task.id = event.task_id
WHERE event.seq > :after AND event.seq <= :until
  AND (CAST(:project AS TEXT) IS NULL OR :project = coalesce(
      task.project, (SELECT project FROM endpoints WHERE id = event.task_id),
      (SELECT project FROM own_events WHERE seq = event.seq)))
  AND CASE WHEN CAST(:types AS TEXT) IS NULL THEN task.id IS NOT NULL
      ELSE event.type IN (SELECT value FROM json_each(:types)) OR {OWN_WANTED} END
ORDER BY event.seq LIMIT :limit"""

FEED_BOUNDS: Final = """
SELECT (SELECT min(seq) FROM events WHERE seq > :after), (SELECT seq FROM ledger)"""


async def load_events(loading: Loading) -> None:
    """The webhooks that came before."""
    found = await loading.of(WEBHOOKS_SEEN, loading.wanted.webhooks, "keys")
    for task_id, attempt, webhook_id, digest in found:
        loading.unit.events.seen[task_id, attempt, webhook_id] = digest


def write_events(unit: UnitOfWork, first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """New events, numbered in the order of their decisions."""
    yield INSERT_EVENTS, [*map(rows.event_values, unit.events.new, count(first))]


def write_patches(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """Texts of patches, with the places of the events that brought them."""
    yield (
        INSERT_PIECES,
        [
            {"task_id": event.task_id, "task_seq": event.task_seq, "attempt": event.attempt}
            | rows.named(piece)
            for event, piece in unit.patches
        ],
    )


class EventQueries(Queries):
    """The reads of events and patches."""

    async def events_of_task(self, task_id: str, *, after: int, limit: int) -> list[Event]:
        params = {"task_id": task_id, "after": after, "limit": limit}
        return [*map(EVENT.read, await self._all(EVENTS_OF_TASK, params))]

    async def events_of_project(
        self, project: str | None, types: Sequence[str] | None = None, *, after: int, limit: int
    ) -> FeedPage:
        return await read_feed(self._all, project, types, after=after, limit=limit)

    async def pruned(self, project: str | None) -> int:
        row = await self._one(PRUNED, {"project": project})
        return row[0] or 0 if row else 0

    async def events_of_types(
        self,
        task_id: str,
        types: Sequence[str],
        *,
        after: int = 0,
        limit: int = NO_NUMBER,
        is_late_too: bool = False,
    ) -> list[Event]:
        params = {
            "task_id": task_id,
            "types": list(types),
            "after": after,
            "limit": limit,
            "is_late_too": is_late_too,
        }
        return [*map(EVENT.read, await self._all(EVENTS_OF_TYPES, params))]

    async def last_event(self, task_id: str, kind: str, *, until: int) -> Event | None:
        params = {"task_id": task_id, "type": kind, "after": until}
        row = await self._one(LAST_EVENT, params)
        return EVENT.read(row) if row else None

    async def newest_events(
        self,
        task_id: str,
        limit: int,
        types: Sequence[str] | None = None,
        *,
        before: int = NO_NUMBER,
    ) -> list[Event]:
        params = {
            "task_id": task_id,
            "limit": limit,
            "types": None if types is None else list(types),
            "before": before,
        }
        return [*map(EVENT.read, await self._all(NEWEST_EVENTS, params))][::-1]

    async def patch_pieces(self, task_id: str, attempt: int | None = None) -> list[StoredPiece]:
        params = {"task_id": task_id, "attempt": attempt}
        return [*map(PIECE.read, await self._all(PIECES, params))]

    async def chunks(self, task_id: str, numbers: Sequence[int]) -> dict[int, bytes]:
        params = {"task_id": task_id, "numbers": list(numbers)}
        return {row[0]: row[1] for row in await self._all(CHUNKS, params)}


async def read_feed(
    query: Query,
    project: str | None,
    types: Sequence[str] | None,
    *,
    after: int,
    limit: int,
    budget: int = BUDGET,
) -> FeedPage:
    """The next events of these types (None: all of tasks) of a project (None: of all of them).

    Order of numbers is order of commits, so nothing can still appear before what was seen.
    """
    found: list[FeedEvent] = []
    step, looked_at = limit, 0
    while True:
        first, newest = await _bounds(query, after)
        if first is None:
            return FeedPage(events=tuple(found), cursor=after, is_end=True)
        # Numbers without an event are those of deleted ones: they are jumped over.
        until = min(first - 1 + step, newest)
        left = limit - len(found)
        found += await _events(query, project, types, after=after, until=until, limit=left)
        if len(found) == limit:
            return FeedPage(events=tuple(found), cursor=found[-1].seq, is_end=False)
        after, looked_at = until, looked_at + step
        if until == newest or looked_at >= budget:
            return FeedPage(events=tuple(found), cursor=after, is_end=until == newest)
        step = min(step * 4, LARGEST_STEP)


async def _bounds(query: Query, after: int) -> tuple[int | None, int]:
    """The numbers of the next event, if there is one, and of the newest."""
    ((first, newest),) = await query(FEED_BOUNDS, {"after": after})
    return first, newest


async def _events(
    query: Query,
    project: str | None,
    types: Sequence[str] | None,
    *,
    after: int,
    until: int,
    limit: int,
) -> list[FeedEvent]:
    params = {
        "project": project,
        "types": None if types is None else json.dumps(types),
        "after": after,
        "until": until,
        "limit": limit,
    }
    return [*map(FEED_EVENT.read, await query(EVENTS_OF_PROJECT, params))]
