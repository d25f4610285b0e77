"""The check that counted groups of tasks are what their tasks add up to."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from gateway.domain.invariants.task_rows import Problem
from gateway.domain.operations.task_groups import GroupKey, groups_of
from gateway.domain.tasks.task import Task
from gateway.store.sql.admin.database import Database

# The ends of a day stay counted when their tasks are deleted.
_GROUPS: Final = """
SELECT kind, since, project, status, code, count FROM task_groups
WHERE kind IN ('state', 'flag') ORDER BY kind, since, project, status, code"""


class GroupCounts:
    """Counts tasks by state and flag as they are read."""

    def __init__(self, database: Database) -> None:
        self._stored = {GroupKey(*row[:-1]): row[-1] for row in database.fetch(_GROUPS)}
        self._counted = Counter[GroupKey]()

    def add(self, task: Task) -> None:
        """A stored task."""
        self._counted.update(key for key in groups_of(task) if key.kind in {"state", "flag"})

    def problems(self) -> Iterator[Problem]:
        """Groups with another count than their tasks; call it after the last one."""
        for key in self._stored.keys() | self._counted:
            stored, counted = self._stored.get(key, 0), self._counted[key]
            if stored != counted:
                name = " ".join(str(part) for part in key if part)
                detail = f"the group {name} counts {stored} tasks, there are {counted}"
                yield Problem(name="counts_differ", subject="database", detail=detail)
