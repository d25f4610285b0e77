"""Lists of tasks: filters, each with the index that serves it, in steps of bounded work."""

# ruff: noqa: S608 - what is put into a statement here is constant

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Frozen, Status, Task
from gateway.store.records import TaskFilter, TaskPage
from gateway.store.sql.connection import Query
from gateway.store.sql.rows import TASK

LARGEST_STEP: Final = 1_000
"""Tasks that one statement looks at: a few milliseconds of the reading connection."""
BUDGET: Final = 10_000
"""Tasks that one request looks at; then its page ends, however short, with a cursor."""
LOOKS: Final = 2
"""Tasks looked at for each task that a whole selection may have: the largest selection takes a
second, in steps that let others read."""
PROBE: Final = 200
"""A filter that leaves fewer tasks than this is selective."""

SPECS: Final = """
SELECT task_id, data FROM events
WHERE task_seq = 1 AND task_id IN (SELECT value FROM json_each(:ids))"""

_SPEC: Final = msgspec.json.Decoder(Spec)

# One index seek per project and filter. SQLite leaves the inner loop as soon as a row sorts behind
# the limit, so that 51 of a million tasks cost 51 rows of each seek and not the million.
_ASKED: Final = """asked (project) AS (
    SELECT coalesce(:project, (SELECT min(project) FROM tasks))
    UNION ALL
    SELECT (SELECT min(project) FROM tasks WHERE project > asked.project) FROM asked
    WHERE :project IS NULL AND asked.project IS NOT NULL)"""

BY_STATUS: Final = f"""
WITH RECURSIVE {_ASKED}
SELECT task.id
FROM asked CROSS JOIN json_each(:statuses) AS wanted CROSS JOIN tasks AS task
    ON task.project = asked.project AND task.status = wanted.value
    AND task.id >= :since AND task.id < :before
ORDER BY task.id DESC LIMIT :limit"""

BY_FLAG: Final = f"""
WITH RECURSIVE {_ASKED}
SELECT task.id
FROM asked CROSS JOIN tasks AS task
    ON task.project = asked.project AND task.flags <> '[]'
    AND task.id >= :since AND task.id < :before
ORDER BY task.id DESC LIMIT :limit"""

BY_ERROR: Final = f"""
WITH RECURSIVE {_ASKED}
SELECT task.id
FROM asked CROSS JOIN tasks AS task
    ON task.project = asked.project AND task.error IS NOT NULL
    AND json_extract(task.error, '$.code') = :error_code
    AND task.id >= :since AND task.id < :before
ORDER BY task.id DESC LIMIT :limit"""

BY_ID: Final = """
SELECT id FROM tasks WHERE id >= :since AND id < :before ORDER BY id DESC LIMIT :limit"""

BY_REPOSITORY: Final = """
SELECT task_id FROM events
WHERE task_seq = 1 AND json_extract(data, '$.repoUrl') = :repo_url
  AND task_id >= :since AND task_id < :before
ORDER BY task_id DESC LIMIT :limit"""

BY_METADATA: Final = """
SELECT task_id FROM task_metadata
WHERE key = :key AND value = :value AND task_id >= :since AND task_id < :before
ORDER BY task_id DESC LIMIT :limit"""

# In the order of the ids that are given, newest first.
_MATCHES: Final = """
FROM json_each(:ids) AS named CROSS JOIN tasks ON tasks.id = named.value
WHERE (CAST(:project AS TEXT) IS NULL OR project = :project)
  AND status IN (SELECT value FROM json_each(:statuses))
  AND (CAST(:created_after AS BIGINT) IS NULL OR created_at > :created_after)
  AND (CAST(:created_before AS BIGINT) IS NULL OR created_at < :created_before)
  AND (CAST(:flag AS TEXT) IS NULL OR flags <> '[]' AND (:flag = 'any' OR EXISTS (
      SELECT 1 FROM json_each(tasks.flags) AS each
      WHERE json_extract(each.value, '$.code') = :flag)))
  AND (CAST(:error_code AS TEXT) IS NULL
      OR json_extract(error, '$.code') = :error_code)
  AND (CAST(:provider AS TEXT) IS NULL
      OR :provider = coalesce(json_extract(sandbox, '$.provider'), provider))
  AND (CAST(:snapshot AS TEXT) IS NULL OR snapshot = :snapshot)
  AND (CAST(:launcher_id AS TEXT) IS NULL OR EXISTS (
      SELECT 1 FROM attempts
      WHERE attempts.task_id = tasks.id AND attempts.number = tasks.attempt
        AND attempts.launcher_id = :launcher_id))
  AND (:metadata = '[]' OR NOT EXISTS (
      SELECT 1 FROM json_each(:metadata) AS wanted WHERE NOT EXISTS (
          SELECT 1 FROM task_metadata AS kept
          WHERE kept.task_id = tasks.id AND kept.key = json_extract(wanted.value, '$[0]')
            AND kept.value = json_extract(wanted.value, '$[1]'))))
  AND (CAST(:repo_url AS TEXT) IS NULL OR :repo_url = (
      SELECT json_extract(data, '$.repoUrl') FROM events
      WHERE events.task_id = tasks.id AND events.task_seq = 1))
LIMIT :limit"""

MATCHING: Final = f"SELECT {TASK.of('tasks')} {_MATCHES}"

MATCHING_IDS: Final = f"SELECT tasks.id {_MATCHES}"


class _Source(Frozen, frozen=True, kw_only=True):
    """A statement that names tasks, the newest first, among which are all that match."""

    statement: str
    params: Mapping[str, object]
    implied: tuple[str, ...] = ()
    """Filters that all of them match."""


class Listing:
    """Finds tasks. Candidates come from the index of one filter, the rest is looked at in them."""

    def __init__(self, query: Query, *, budget: int = BUDGET, probe: int = PROBE) -> None:
        self._query = query
        self._budget = budget
        self._probe = probe

    async def page(self, wanted: TaskFilter, *, before: str, limit: int) -> TaskPage:
        """The newest tasks that match and have an older id than `before`."""
        before = min(before, wanted.until)
        source = await self._choose(wanted, before)
        found: list[Task] = []
        step, looked_at = limit + 1, 0
        while looked_at < self._budget:
            ids = await self._candidates(source, before, step)
            params = _params(wanted, source, ids, limit + 1 - len(found))
            found += [TASK.read(row) for row in await self._query(MATCHING, params)]
            if len(found) > limit:
                return await self._page(found[:limit], found[limit - 1].id)
            if len(ids) < step:
                return await self._page(found, None)
            before, looked_at, step = ids[-1], looked_at + step, min(step * 4, LARGEST_STEP)
        return await self._page(found, before)

    async def ids(
        self, wanted: TaskFilter, *, most: int, budget: int | None = None
    ) -> list[str] | None:
        """All tasks that match, newest first; None if they are more than `most`, or more than
        `budget` (`LOOKS` for each) would have to be looked at."""
        before, found, looked_at = wanted.until, list[str](), 0
        source = await self._choose(wanted, before)
        while looked_at < (LOOKS * most if budget is None else budget):
            ids = await self._candidates(source, before, LARGEST_STEP)
            params = _params(wanted, source, ids, LARGEST_STEP)
            found += [row[0] for row in await self._query(MATCHING_IDS, params)]
            if len(found) > most:
                return None
            if len(ids) < LARGEST_STEP:
                return found
            before, looked_at = ids[-1], looked_at + len(ids)
        return None

    async def _page(self, found: Sequence[Task], last: str | None) -> TaskPage:
        ids = json.dumps([task.id for task in found])
        specs = {row[0]: _SPEC.decode(row[1]) for row in await self._query(SPECS, {"ids": ids})}
        # One without was deleted between the two statements.
        tasks = tuple((task, specs[task.id]) for task in found if task.id in specs)
        return TaskPage(tasks=tasks, last=last)

    async def _choose(self, wanted: TaskFilter, before: str) -> _Source:
        """The first source that is soon exhausted; if none is, the first."""
        sources = list(_sources(wanted))
        if len(sources) > 1:
            for source in sources:
                if len(await self._candidates(source, before, self._probe)) < self._probe:
                    return source
        return sources[0]

    async def _candidates(self, source: _Source, before: str, limit: int) -> list[str]:
        params = {**source.params, "before": before, "limit": limit}
        return [row[0] for row in await self._query(source.statement, params)]


def _params(
    wanted: TaskFilter, source: _Source, ids: Sequence[str], limit: int
) -> dict[str, object]:
    params = {
        "ids": json.dumps(ids),
        "project": wanted.project,
        "statuses": json.dumps(wanted.statuses),
        "created_after": wanted.created_after,
        "created_before": wanted.created_before,
        "flag": wanted.flag,
        "error_code": wanted.error_code,
        "provider": wanted.provider,
        "snapshot": wanted.snapshot,
        "launcher_id": wanted.launcher_id,
        "metadata": json.dumps(wanted.metadata),
        "repo_url": wanted.repo_url,
        "limit": limit,
    }
    return params | dict.fromkeys(source.implied)


def _sources(wanted: TaskFilter) -> Iterator[_Source]:
    """The sources with an index, the usually rare ones first."""
    common: dict[str, object] = {"project": wanted.project, "since": wanted.since}
    for key, value in wanted.metadata:
        params = {"key": key, "value": value, "since": wanted.since}
        yield _Source(statement=BY_METADATA, params=params)
    if wanted.error_code is not None:
        coded = {**common, "error_code": wanted.error_code}
        yield _Source(statement=BY_ERROR, params=coded, implied=("error_code",))
    if wanted.flag is not None:
        yield _Source(statement=BY_FLAG, params=common)
    if wanted.repo_url is not None:
        named = {"repo_url": wanted.repo_url, "since": wanted.since}
        yield _Source(statement=BY_REPOSITORY, params=named, implied=("repo_url",))
    is_only_source = not wanted.metadata and all(
        it is None for it in (wanted.error_code, wanted.flag, wanted.repo_url)
    )
    is_of_any_state = len(wanted.statuses) == len(Status)
    if is_only_source and is_of_any_state and wanted.project is None:
        yield _Source(statement=BY_ID, params={"since": wanted.since})
    elif is_only_source or not is_of_any_state:
        statuses = json.dumps(wanted.statuses)
        yield _Source(statement=BY_STATUS, params={**common, "statuses": statuses})
