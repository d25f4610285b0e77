"""Bulk actions: one action on all tasks that match a filter, a page of them at a time.

The values, the commands, and their part of a unit of work.
"""

from typing import Final, Literal

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.part import Rows
from gateway.domain.kernel.read_set import Command, Idempotency, ReadSet
from gateway.domain.tasks.task import Frozen

BulkVerb = Literal["cancel", "retry", "destroy"]
BulkStatus = Literal["running", "done", "aborted"]

PAGE: Final = 50
"""Tasks of one step: few enough that its batch delays no caller."""
MOST_TASKS: Final = 100_000
"""Tasks of one bulk action."""
MOST_FAILURES: Final = 100
"""Failures that are kept one by one; all are counted."""


class BulkFailure(Frozen, frozen=True, kw_only=True):
    """A task that the action was refused for, and the code of the refusal."""

    task_id: str
    code: str


class BulkAction(Frozen, frozen=True, kw_only=True):
    """A stored job; times in milliseconds."""

    id: str
    action: BulkVerb
    project: str | None
    """None: the tasks of every project."""
    filter: str
    """JSON, as it was asked for."""
    reason: str
    actor: str = ""
    """The key that asked for it: `key:<id>`."""
    matched: int = 0
    done: int = 0
    failed: int = 0
    failed_tasks: tuple[BulkFailure, ...] = ()
    """The first of them."""
    status: BulkStatus = "running"
    created_at: int
    updated_at: int
    finished_at: int | None = None

    @property
    def is_new(self) -> bool:
        return self.status == "running" and not self.taken

    @property
    def taken(self) -> int:
        """The number of its tasks that have had their turn."""
        return self.done + self.failed

    @property
    def next_page(self) -> int:
        """The number of the next page, from 0 on; each page but the last is full."""
        return self.taken // PAGE


class BulkActions(Rows[str, BulkAction]):
    """Bulk actions, each with the tasks of its next page."""

    def __init__(self) -> None:
        super().__init__(lambda bulk: bulk.id)
        self.pages: dict[str, tuple[str, ...]] = {}
        self.new: dict[str, list[tuple[str, ...]]] = {}
        """All pages of each new one."""

    def start(self, bulk: BulkAction, task_ids: tuple[str, ...]) -> None:
        """A new one, with its tasks."""
        self.put(bulk)
        starts = range(0, len(task_ids), PAGE)
        self.new[bulk.id] = [task_ids[start : start + PAGE] for start in starts]


class StartBulk(Command, frozen=True, kw_only=True):
    """`POST /v1/bulk`, with the tasks that match now."""

    bulk: BulkAction
    task_ids: tuple[str, ...]
    idempotency: Idempotency | None = None

    @property
    def needs(self) -> ReadSet:
        return ReadSet(idempotency=self.idempotency)


class BrokenTask(Exception):
    """A rule broke on one task: nothing of the page is stored."""

    def __init__(self, task_id: str) -> None:
        super().__init__(task_id)
        self.task_id = task_id


class AdvanceBulk(Command, frozen=True, kw_only=True):
    """The next page of a bulk action."""

    bulk_id: str
    broken: frozenset[str] = frozenset()
    """Tasks of the page on which a rule broke: they are refused unseen."""

    @property
    def needs(self) -> ReadSet:
        return ReadSet(bulk_actions=(self.bulk_id,))


class AbortBulk(AdvanceBulk, frozen=True, kw_only=True):
    """`POST /v1/bulk/{id}/abort`; `project` None is ops, who may access every project."""

    project: str | None


class BulkReply(Answer, frozen=True, kw_only=True):
    """The bulk action after the command."""

    bulk: BulkAction
    replayed: bool = False
