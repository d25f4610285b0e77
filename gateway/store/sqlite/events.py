"""The feed of a project: events of many tasks, and of its endpoints for those who ask for them, in
steps of bounded work."""

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from gateway.domain.tasks.event import Event
from gateway.store.records import FeedPage
from gateway.store.sqlite import rows
from gateway.store.sqlite.rows import Params, Row

LARGEST_STEP: Final = 2_000
"""Numbers that one statement looks at: a few milliseconds of the reading connection."""
BUDGET: Final = 20_000
"""Numbers that one request looks at; then its page ends, however short, and its cursor goes on."""

EVENTS_OF_PROJECT: Final = """
SELECT
    event.task_id, event.task_seq, event.attempt, event.type, event.at, event.source, event.data,
    event.applied, event.reason, event.webhook_id, event.body_hash, event.seq
FROM events AS event LEFT JOIN tasks AS task ON task.id = event.task_id
WHERE event.seq > :after AND event.seq <= :until
  AND (:project IS NULL OR :project = coalesce(
      task.project, (SELECT project FROM endpoints WHERE id = event.task_id)))
  AND iif(:types IS NULL, task.id IS NOT NULL,
      event.type IN (SELECT value FROM json_each(:types)))
ORDER BY event.seq LIMIT :limit"""

FEED_BOUNDS: Final = """
SELECT (SELECT min(seq) FROM events WHERE seq > :after), (SELECT seq FROM ledger)"""

Query = Callable[[str, Params], Awaitable[Iterable[Row]]]


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
    found: list[Event] = []
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
) -> list[Event]:
    params = {
        "project": project,
        "types": None if types is None else json.dumps(types),
        "after": after,
        "until": until,
        "limit": limit,
    }
    return [rows.event_from_row(row) for row in await query(EVENTS_OF_PROJECT, params)]
