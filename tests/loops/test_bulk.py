"""The loop of bulk actions gives each of them a page at a time."""

from collections.abc import Sequence

from msgspec.structs import replace

from gateway.domain.operations.bulk import AdvanceBulk, BrokenTask, BulkAction, BulkReply
from gateway.loops.broken_rows import LEFT_ALONE, BrokenRows
from gateway.loops.bulk import IDLE, SOON, BulkRunner
from tests.launcher.clock import Time
from tests.store.test_bulk import BULK


class Work:
    """Actions in a store, and a ledger that takes their steps."""

    def __init__(self, *names: str) -> None:
        self.running: Sequence[BulkAction] = [replace(BULK, id=name) for name in names]
        self.steps: list[str] = []
        self.broken: frozenset[str] = frozenset()
        """Tasks on which a rule breaks."""
        self.faulty: set[str] = set()
        """Actions that break as a whole."""

    async def running_bulk_actions(self) -> Sequence[BulkAction]:
        return self.running

    async def bulk_action(self, bulk_id: str) -> BulkAction | None:
        return next((bulk for bulk in self.running if bulk.id == bulk_id), None)

    async def bulk_actions_before(
        self, project: str | None, before: str, limit: int
    ) -> list[BulkAction]:
        return list(self.running)

    async def submit(self, step: AdvanceBulk) -> BulkReply:
        if step.bulk_id in self.faulty:
            raise ZeroDivisionError
        for task_id in self.broken - step.broken:
            raise BrokenTask(task_id)
        self.steps.append(step.bulk_id)
        self.running = [bulk for bulk in self.running if bulk.id != step.bulk_id]
        done = replace(BULK, id=step.bulk_id, done=BULK.matched, status="done", finished_at=1)
        return BulkReply(bulk=done)


async def test_every_action_gets_a_page_and_an_idle_loop_waits() -> None:
    work = Work("bulk_1", "bulk_2")
    runner = BulkRunner(work, work.submit)
    assert await runner.step() == SOON
    assert work.steps == ["bulk_1", "bulk_2"]
    assert await runner.step() == IDLE


async def test_a_page_goes_on_without_the_tasks_on_which_a_rule_breaks() -> None:
    work = Work("bulk_1", "bulk_2")
    work.broken = frozenset({"task_1", "task_2"})
    assert await BulkRunner(work, work.submit).step() == SOON
    assert work.steps == ["bulk_1", "bulk_2"]


async def test_an_action_that_breaks_holds_up_no_other() -> None:
    work, time = Work("bulk_1", "bulk_2"), Time()
    work.faulty = {"bulk_1"}
    runner = BulkRunner(work, work.submit, BrokenRows("test", time.clock))
    assert await runner.step() == SOON
    assert work.steps == ["bulk_2"]
    assert await runner.step() == IDLE, "it is left alone"
    work.faulty.clear()
    time.now += LEFT_ALONE
    await runner.step()
    assert work.steps == ["bulk_2", "bulk_1"]
