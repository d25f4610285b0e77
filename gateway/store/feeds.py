"""The feed of a project: events of many tasks, in steps of bounded work."""

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from gateway.domain.event import Event
from gateway.domain.task import Frozen
from gateway.store import rows
from gateway.store.rows import Params, Row

LARGEST_STEP: Final = 2_000
"""Events that one statement looks at: a few milliseconds of the reading connection."""
BUDGET: Final = 50_000
"""Events that one request looks at; then its page ends, however short, and its cursor goes on."""

EVENTS_OF_PROJECT: Final = """
SELECT
    event.task_id, event.task_seq, event.attempt, event.type, event.at, event.source, event.data,
    event.applied, event.reason, event.webhook_id, event.body_hash, event.seq
FROM events AS event CROSS JOIN tasks AS task ON task.id = event.task_id
WHERE event.seq > :after AND event.seq <= :until
  AND (:project IS NULL OR task.project = :project)
  AND (:types IS NULL OR event.type IN (SELECT value FROM json_each(:types)))
ORDER BY event.seq LIMIT :limit"""

FEED_STEP: Final = """
SELECT max(seq), count(*) FROM (
    SELECT seq FROM events WHERE seq > :after ORDER BY seq LIMIT :step)"""

Query = Callable[[str, Params], Awaitable[Iterable[Row]]]


class FeedPage(Frozen, frozen=True, kw_only=True):
    """A piece of a feed, oldest first."""

    events: tuple[Event, ...]
    cursor: int
    """Everything up to this number has been looked at: the next `after`."""
    is_end: bool
    """Whether there was nothing behind it."""


async def read_feed(
    query: Query,
    project: str | None,
    types: Sequence[str] | None,
    *,
    after: int,
    limit: int,
    budget: int = BUDGET,
) -> FeedPage:
    """The next events of these types (None: all) of a project (None: of all of them).

    Order of numbers is order of commits, so nothing can still appear before what was seen.
    """
    step, looked_at = limit, 0
    while True:
        until, seen = await _seen(query, after, step)
        if seen:
            events = await _events(query, project, types, after=after, until=until, limit=limit)
            if len(events) == limit:
                return FeedPage(events=events, cursor=events[-1].seq, is_end=False)
            after, looked_at = until, looked_at + seen
            if events or looked_at >= budget:
                return FeedPage(events=events, cursor=after, is_end=seen < step)
        if seen < step:
            return FeedPage(events=(), cursor=after, is_end=True)
        step = min(step * 4, LARGEST_STEP)


async def _seen(query: Query, after: int, step: int) -> tuple[int, int]:
    """How far the next events reach, and how many they are."""
    ((until, seen),) = await query(FEED_STEP, {"after": after, "step": step})
    return until or after, seen


async def _events(
    query: Query,
    project: str | None,
    types: Sequence[str] | None,
    *,
    after: int,
    until: int,
    limit: int,
) -> tuple[Event, ...]:
    params = {
        "project": project,
        "types": None if types is None else json.dumps(types),
        "after": after,
        "until": until,
        "limit": limit,
    }
    return tuple(map(rows.event_from_row, await query(EVENTS_OF_PROJECT, params)))
