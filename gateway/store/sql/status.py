"""The status in the store: what is wrong, each from an index of what may be wrong."""

from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.domain.operations.status import HOUR, FailingEndpoint, Group, StatusFacts
from gateway.store.sql.rows import Row
from gateway.store.sql.switches import SwitchQueries

MOST_ENDPOINTS: Final = 20
"""Failing endpoints that are named; with more, the receivers are not the cause."""

# By project, in an index that alone answers it: an outage leaves a hundred thousand tasks queued.
LIVING_COUNTS: Final = """
WITH RECURSIVE named (project) AS (
    SELECT coalesce(:project, (
        SELECT project FROM tasks INDEXED BY tasks_listed
        WHERE project > '' ORDER BY project LIMIT 1))
    UNION ALL
    SELECT (
        SELECT project FROM tasks INDEXED BY tasks_listed
        WHERE project > named.project ORDER BY project LIMIT 1)
    FROM named WHERE named.project IS NOT NULL AND :project IS NULL)
SELECT task.status, count(*)
FROM named CROSS JOIN tasks AS task INDEXED BY tasks_listed
    ON task.project = named.project AND task.status IN ('queued', 'launching', 'running')
GROUP BY task.status"""

ENDED_COUNT: Final = """
SELECT coalesce(sum(count), 0) FROM task_groups
WHERE kind = 'minute' AND since > :since
  AND (CAST(:project AS TEXT) IS NULL OR project = :project)"""

FAILURE_GROUPS: Final = """
SELECT coalesce(nullif(code, ''), status) AS cause, sum(count), min(first_at), max(example)
FROM task_groups
WHERE kind = 'minute' AND since > :since
  AND (CAST(:project AS TEXT) IS NULL OR project = :project)
  AND status IN ('failed', 'timed_out', 'expired') AND count > 0
GROUP BY cause ORDER BY sum(count) DESC, cause LIMIT 50"""

FLAG_GROUPS: Final = """
SELECT code, sum(count), min(first_at), max(example) FROM task_groups
WHERE kind = 'flag' AND (CAST(:project AS TEXT) IS NULL OR project = :project) AND count > 0
GROUP BY code ORDER BY sum(count) DESC, code"""

# For the few groups whose example has left: among the newest.
FAILURE_EXAMPLE: Final = """
SELECT max(id) FROM (
    SELECT id, project, status, error FROM tasks INDEXED BY tasks_finished
    WHERE finished_at > :since ORDER BY finished_at DESC LIMIT 1000) AS newest
WHERE (CAST(:project AS TEXT) IS NULL OR project = :project)
  AND status IN ('failed', 'timed_out', 'expired')
  AND coalesce(json_extract(error, '$.code'), status) = :code"""

FLAG_EXAMPLE: Final = """
SELECT max(id) FROM (
    SELECT id, flags FROM tasks INDEXED BY tasks_flagged
    WHERE flags <> '[]' AND (CAST(:project AS TEXT) IS NULL OR project = :project)
    ORDER BY project DESC, id DESC LIMIT 1000) AS newest
WHERE instr(flags, '"code":"' || :code || '"') > 0"""

# Of a queue only the beginning is counted: more than that says nothing more.
CLAIMABLE_GROUP: Final = """
SELECT count(*), min(claimable_at), max(id) FROM (
    SELECT claimable_at, id FROM tasks INDEXED BY tasks_claimable
    WHERE claimable_at IS NOT NULL AND claimable_at <= :now AND is_behind = 0
      AND (CAST(:project AS TEXT) IS NULL OR project = :project)
    LIMIT 100000) AS first"""

FAILING_ENDPOINTS: Final = """
SELECT id, origin, enabled, coalesce(failing_since, updated_at) FROM endpoints
WHERE deleted_at IS NULL AND (CAST(:project AS TEXT) IS NULL OR project = :project)
  AND (failing_since IS NOT NULL OR (enabled = 0 AND disabled_reason <> 'disabled by ops'))
ORDER BY failing_since NULLS FIRST LIMIT :limit"""

DEAD_GROUP: Final = """
SELECT count(*), min(seq), max(seq) FROM deliveries INDEXED BY deliveries_missed
WHERE status = 'dead' AND (CAST(:project AS TEXT) IS NULL OR endpoint_id IN (
    SELECT id FROM endpoints WHERE project = :project))"""

EVENT_TIME: Final = "SELECT at, task_id FROM events WHERE seq = :seq"

# Of a backlog only the beginning is counted, too.
DUE_COUNT: Final = """
SELECT count(*), min(next_attempt_at) FROM (
    SELECT delivery.next_attempt_at
    FROM endpoints AS endpoint CROSS JOIN deliveries AS delivery INDEXED BY deliveries_due
        ON delivery.endpoint_id = endpoint.id AND delivery.status = 'pending'
        AND delivery.next_attempt_at <= :now
    WHERE CAST(:project AS TEXT) IS NULL OR endpoint.project = :project
    LIMIT 100000) AS first"""

LIVE_LAUNCHERS: Final = """
SELECT count(*) FROM launchers
WHERE called_at >= :since AND mode = 'working'
  AND (CAST(:project AS TEXT) IS NULL OR project IN ('', :project))"""


class StatusQueries(SwitchQueries):
    """The reads of the status."""

    async def status_facts(
        self, project: str | None, *, now: int, launchers_since: int
    ) -> StatusFacts:
        wanted: dict[str, object] = {"project": project}
        ended = wanted | {"since": now - HOUR}
        living = {row[0]: row[1] for row in await self._all(LIVING_COUNTS, wanted)}
        ((ended_count,),) = await self._all(ENDED_COUNT, ended)
        ((due, oldest_due_at),) = await self._all(DUE_COUNT, wanted | {"now": now})
        ((launchers,),) = await self._all(LIVE_LAUNCHERS, wanted | {"since": launchers_since})
        endpoints = await self._all(FAILING_ENDPOINTS, wanted | {"limit": MOST_ENDPOINTS})
        pauses = await self.pauses(now)
        return StatusFacts(
            project=project,
            tasks=living,
            ended=ended_count,
            flags=await self._groups(FLAG_GROUPS, FLAG_EXAMPLE, wanted),
            failures=await self._groups(FAILURE_GROUPS, FAILURE_EXAMPLE, ended),
            oldest_claimable=await self._claimable(wanted | {"now": now}),
            endpoints=tuple(map(_endpoint, endpoints)),
            dead=await self._dead(wanted),
            due=due,
            oldest_due_at=oldest_due_at,
            launchers=launchers,
            pauses=tuple(pause for pause in pauses if project is None or pause.concerns(project)),
        )

    async def _groups(
        self, statement: str, example: str, wanted: dict[str, object]
    ) -> tuple[Group, ...]:
        found = [*map(_group, await self._all(statement, wanted))]
        for place, group in enumerate(found):
            if group.example is None:
                ((name,),) = await self._all(example, wanted | {"code": group.code})
                found[place] = replace(group, example=name)
        return tuple(found)

    async def _claimable(self, wanted: dict[str, object]) -> Group | None:
        ((count, since, example),) = await self._all(CLAIMABLE_GROUP, wanted)
        return Group(code="queued", count=count, since=since, example=example) if count else None

    async def _dead(self, wanted: dict[str, object]) -> Group | None:
        ((count, first, last),) = await self._all(DEAD_GROUP, wanted)
        if not count:
            return None
        oldest = await self._one(EVENT_TIME, {"seq": first})
        newest = await self._one(EVENT_TIME, {"seq": last})
        since, example = oldest[0] if oldest else 0, newest[1] if newest else ""
        return Group(code="dead", count=count, since=since, example=example)


def _group(row: Row) -> Group:
    return msgspec.convert(dict(zip(Group.__struct_fields__, row, strict=True)), Group)


def _endpoint(row: Row) -> FailingEndpoint:
    name, origin, enabled, since = row
    return FailingEndpoint(id=name, origin=origin, is_enabled=bool(enabled), since=since)
