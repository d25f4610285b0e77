"""Groups of tasks in the store: their counts change in the transaction of the tasks themselves."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from gateway.domain.operations.task_groups import (
    HOURS_KEPT,
    MINUTES_KEPT,
    GroupChange,
    GroupKey,
    group_changes,
)
from gateway.domain.tasks.task import Task
from gateway.store.sql.connection import Queries, bound
from gateway.store.sql.rows import Params

ADD_TO_GROUPS: Final = """
INSERT INTO task_groups (kind, since, project, status, code, count, first_at, example)
VALUES (:kind, :since, :project, :status, :code, :count, :first_at, :came)
ON CONFLICT (kind, since, project, status, code) DO UPDATE SET
    count = task_groups.count + excluded.count,
    first_at = min(task_groups.first_at, excluded.first_at),
    example = excluded.example"""

# The minute or hour of an end that was long ago may be deleted already.
TAKE_FROM_GROUPS: Final = """
UPDATE task_groups SET
    count = count + :count,
    example = iif(example IN (SELECT value FROM json_each(:left)), NULL, example)
WHERE kind = :kind AND since = :since AND project = :project AND status = :status
  AND code = :code"""

# Tasks are deleted long after the hour of their end.
TAKE_DELETED_FROM_STATES: Final = """
INSERT INTO task_groups (kind, since, project, status, code, count, first_at)
SELECT 'state', 0, project, status, '', -count(*), 0 FROM tasks
WHERE id IN (SELECT value FROM json_each(:ids)) AND finished_at IS NOT NULL
GROUP BY project, status
ON CONFLICT (kind, since, project, status, code) DO UPDATE SET
    count = task_groups.count + excluded.count"""

TAKE_DELETED_FROM_FLAGS: Final = """
INSERT INTO task_groups (kind, since, project, status, code, count, first_at)
SELECT 'flag', CAST(json_extract(flag.value, '$.since') AS BIGINT) / 60000 * 60000, task.project,
    '', json_extract(flag.value, '$.code'), -count(*), 0
FROM tasks AS task CROSS JOIN json_each(task.flags) AS flag
WHERE task.id IN (SELECT value FROM json_each(:ids)) GROUP BY 2, 3, 5
ON CONFLICT (kind, since, project, status, code) DO UPDATE SET
    count = task_groups.count + excluded.count, example = NULL"""

DELETE_OLD_MINUTES: Final = """
DELETE FROM task_groups WHERE (kind, since, project, status, code) IN (
    SELECT kind, since, project, status, code FROM task_groups
    WHERE kind = 'minute' AND since < :minutes_before LIMIT 500)"""

DELETE_OLD_HOURS: Final = """
DELETE FROM task_groups WHERE (kind, since, project, status, code) IN (
    SELECT kind, since, project, status, code FROM task_groups
    WHERE kind = 'hour' AND since < :hours_before LIMIT 500)"""

DELETE_OLD_FLAGS: Final = """
DELETE FROM task_groups WHERE (kind, since, project, status, code) IN (
    SELECT kind, since, project, status, code FROM task_groups
    WHERE kind = 'flag' AND count = 0 LIMIT 500)"""

OLD_GROUPS: Final = (DELETE_OLD_MINUTES, DELETE_OLD_HOURS, DELETE_OLD_FLAGS)

ONE_OLD_GROUP: Final = """
SELECT 1
WHERE (SELECT min(since) FROM task_groups WHERE kind = 'minute') < :minutes_before
  OR (SELECT min(since) FROM task_groups WHERE kind = 'hour') < :hours_before
  OR EXISTS (SELECT 1 FROM task_groups WHERE kind = 'flag' AND count = 0)"""


def write_groups(
    changes: Iterable[tuple[Task | None, Task]],
) -> Iterator[tuple[str, Sequence[Params]]]:
    """The counts of the groups that these tasks left, and came to."""
    changed = group_changes(changes).items()
    yield TAKE_FROM_GROUPS, [_params(key, it) for key, it in changed if it.came is None]
    yield ADD_TO_GROUPS, [_params(key, it) for key, it in changed if it.came is not None]


def old_groups(now: int) -> Mapping[str, int]:
    """The parameters that select groups which no page shows any more."""
    return {"minutes_before": now - MINUTES_KEPT, "hours_before": now - HOURS_KEPT}


class GroupQueries(Queries):
    """The reads of groups for the pruner."""

    async def has_old_groups(self, now: int) -> bool:
        return await self._one(ONE_OLD_GROUP, old_groups(now)) is not None


def _params(key: GroupKey, change: GroupChange) -> Params:
    return {
        **key._asdict(),
        "count": change.count,
        **(
            bound({"left": change.left})
            if change.came is None
            else {"first_at": change.first_at, "came": change.came}
        ),
    }
