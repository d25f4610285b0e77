"""The reconciler submits what is due, keeps the pulse, and says when it has work again."""

from collections.abc import Sequence

import pytest

from gateway.domain.kernel.answers import Accepted, Answer
from gateway.domain.kernel.commands import (
    JobDue,
    Pulse,
    RealmDue,
    TaskDue,
)
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.read_set import Command
from gateway.domain.launching.realm import RealmKey
from gateway.loops.broken_rows import LEFT_ALONE, BrokenRows
from gateway.loops.reconcile import BATCH, Reconciler
from tests.launcher.clock import Time

NOW = 1_000_000


class Due:
    """A store with something due, and a ledger that takes it."""

    def __init__(
        self,
        tasks: Sequence[str] = (),
        jobs: Sequence[str] = (),
        after: int | None = None,
        realms: Sequence[RealmKey] = (),
    ) -> None:
        self.realms = realms
        self.tasks, self.jobs, self.after = tasks, jobs, after
        self.submitted: list[Command] = []
        self.refusal: Exception | None = None

    async def due_tasks(self, now: int, limit: int) -> Sequence[str]:
        return self.tasks[:limit]

    async def due_jobs(self, now: int, limit: int) -> Sequence[str]:
        return self.jobs[:limit]

    async def due_realms(self, now: int, limit: int) -> Sequence[RealmKey]:
        return self.realms[:limit]

    async def next_due(self) -> int | None:
        return self.after

    async def submit(self, command: Command) -> Answer:
        self.submitted.append(command)
        if self.refusal is not None and isinstance(command, TaskDue):
            raise self.refusal
        return Accepted()


def reconciler(due: Due) -> Reconciler:
    return Reconciler(due, due.submit, lambda: NOW)


async def test_what_is_due_becomes_commands_after_the_pulse() -> None:
    due = Due(["task_1"], ["job_1"], realms=[("local", "here", "")])
    await reconciler(due).step()
    assert due.submitted == [
        Pulse(at=NOW),
        RealmDue(key=("local", "here", "")),
        TaskDue(task_id="task_1"),
        JobDue(job_id="job_1"),
    ]


@pytest.mark.parametrize(
    ("after", "seconds"), [(None, 5.0), (NOW + 2_000, 2.0), (NOW + 60_000, 5.0), (NOW - 1, 0.05)]
)
async def test_it_waits_for_the_next_clock_and_never_past_the_next_pulse(
    after: int | None, seconds: float
) -> None:
    assert await reconciler(Due(after=after)).step() == seconds


async def test_a_full_batch_is_followed_by_the_next_one_at_once() -> None:
    assert await reconciler(Due([f"task_{number}" for number in range(BATCH)])).step() == 0.0


async def test_the_pulse_is_not_stored_at_every_step() -> None:
    due = Due()
    loop = reconciler(due)
    await loop.step()
    await loop.step()
    assert due.submitted == [Pulse(at=NOW)]


async def test_one_refused_command_does_not_keep_the_others_back() -> None:
    due = Due(["task_1"], ["job_1"])
    due.refusal = ApiError("not_found", "There is no such task.")
    await reconciler(due).step()
    assert JobDue(job_id="job_1") in due.submitted


async def test_rows_on_which_a_rule_breaks_stop_no_other_clock() -> None:
    due = Due([f"task_{number}" for number in range(BATCH)], ["job_1"], after=NOW - 1)
    due.refusal = ZeroDivisionError()
    time = Time()
    loop = Reconciler(due, due.submit, lambda: NOW, BrokenRows("test", time.clock))
    assert await loop.step() == 0.0
    due.tasks, due.jobs, due.refusal = (*due.tasks, "task_good"), [], None
    assert await loop.step() == 1.0, "not in a circle"
    assert due.submitted[BATCH + 1 :] == [JobDue(job_id="job_1"), TaskDue(task_id="task_good")]
    time.now += LEFT_ALONE
    await loop.step()
    assert due.submitted.count(TaskDue(task_id="task_0")) == 2
