"""Groups of tasks that are counted as tasks change: nobody has to count a million of them.

A task that has ended counts by its state, in the minute and in the hour of its end, and every task
for each of its flags. Living ones are counted in their index: a new task pays for no group.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from gateway.domain.operations.history import DAY
from gateway.domain.operations.status import HOUR
from gateway.domain.tasks.task import Task

GroupKind = Literal["state", "minute", "hour", "flag"]
MINUTE: Final = 60_000
"""Milliseconds."""
MINUTES_KEPT: Final = 2 * HOUR
"""Time for which minutes are kept (milliseconds): pages show the last hour."""
HOURS_KEPT: Final = DAY + HOUR
"""Time for which hours are kept (milliseconds): pages show the last day."""


class GroupKey(NamedTuple):
    """The name of a group."""

    kind: GroupKind
    since: int
    """Of `minute` and `hour` their beginning, of `flag` that of the minute in which it was set; 0
    of `state` (milliseconds)."""
    project: str
    status: str
    code: str
    """Of the error, or of the flag; empty without one."""


@dataclass(kw_only=True)
class GroupChange:
    """A change of one group by the tasks of a batch."""

    count: int = 0
    """Tasks that came, less those that left."""
    first_at: int = 0
    """The earliest end or flag among those that came (milliseconds)."""
    came: str | None = None
    """The newest that came, as an example."""
    left: list[str] = field(default_factory=list)

    def come(self, task_id: str, at: int) -> None:
        self.count += 1
        if self.came is None or at < self.first_at:
            self.first_at = at
        if self.came is None or task_id > self.came:
            self.came = task_id

    def leave(self, task_id: str) -> None:
        self.count -= 1
        self.left.append(task_id)


def groups_of(task: Task) -> dict[GroupKey, int]:
    """The groups that a task counts in, and the time it counts from (milliseconds)."""
    project, status, at = task.project, task.status.value, task.finished_at
    groups: dict[GroupKey, int] = {}
    if at is not None:
        groups[GroupKey("state", 0, project, status, "")] = at
        code = task.error.code if task.error else ""
        groups[GroupKey("minute", at - at % MINUTE, project, status, code)] = at
        groups[GroupKey("hour", at - at % HOUR, project, status, code)] = at
    for flag in task.flags:
        minute = flag.since - flag.since % MINUTE
        groups[GroupKey("flag", minute, project, "", flag.code)] = flag.since
    return groups


def group_changes(changes: Iterable[tuple[Task | None, Task]]) -> dict[GroupKey, GroupChange]:
    """The changes of groups by tasks before (None: it is new) and after a batch."""
    found: dict[GroupKey, GroupChange] = defaultdict(GroupChange)
    for before, after in changes:
        if before is not None and _place(before) == _place(after):
            continue
        old, new = groups_of(before) if before is not None else {}, groups_of(after)
        for key in old:
            if key not in new:
                found[key].leave(after.id)
        for key, at in new.items():
            if key not in old:
                found[key].come(after.id, at)
    return found


def _place(task: Task) -> tuple[object, ...]:
    """All that its groups depend on: most changes of a task leave it as it is."""
    return task.status, task.finished_at, task.error, task.flags
