"""The replayer takes every job to its end, and floods no endpoint."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from gateway.domain.deliveries.commands import AdvanceReplay, ReplayReply
from gateway.domain.deliveries.replay import AT_ONCE, Replay, ReplayKind
from gateway.loops.broken_rows import LEFT_ALONE, BrokenRows
from gateway.loops.deliveries.replays import (
    AGAIN,
    IDLE,
    IN_FLIGHT,
    SOON,
    Replayer,
)
from tests.launcher.clock import Time

JOB = Replay(id="rpl_1", endpoint_id="ep_1", project="default", created_at=1, updated_at=1)


class Work:
    """Jobs in a store, and a ledger that takes their steps."""

    def __init__(self, jobs: Sequence[Replay] = (), pending: int = 0) -> None:
        self.jobs = jobs
        self.pending = pending
        self.steps: list[AdvanceReplay] = []
        self.faulty: set[str] = set()
        """Jobs on which a rule breaks."""

    async def running_replays(self) -> Sequence[Replay]:
        return self.jobs

    async def pending_of(self, endpoint_id: str, most: int) -> int:
        return min(self.pending, most)

    async def submit(self, step: AdvanceReplay) -> ReplayReply:
        if step.replay_id in self.faulty:
            raise ZeroDivisionError
        self.steps.append(step)
        done = replace(JOB, id=step.replay_id, status="done", finished_at=2)
        self.jobs = [job for job in self.jobs if job.id != step.replay_id]
        return ReplayReply(replay=done)


async def step(work: Work) -> float:
    return await Replayer(work, work.submit).step()


async def test_every_job_gets_a_step() -> None:
    work = Work([JOB, replace(JOB, id="rpl_2")])
    assert await step(work) == SOON
    assert [taken.replay_id for taken in work.steps] == ["rpl_1", "rpl_2"]
    assert await step(work) == IDLE


@pytest.mark.parametrize(
    ("kind", "pending", "limit"),
    [
        ("replay", 0, AT_ONCE),
        ("replay", IN_FLIGHT - 7, 7),
        ("release", IN_FLIGHT - 7, 7),
        ("hold", IN_FLIGHT, AT_ONCE),
        ("drop", IN_FLIGHT, AT_ONCE),
    ],
)
async def test_it_adds_no_more_than_an_endpoint_has_room_for(
    kind: ReplayKind, pending: int, limit: int
) -> None:
    work = Work([replace(JOB, kind=kind)], pending)
    await step(work)
    assert [taken.limit for taken in work.steps] == [limit]


async def test_a_job_waits_for_an_endpoint_that_is_owed_enough() -> None:
    work = Work([JOB], IN_FLIGHT)
    assert await step(work) == AGAIN
    assert work.steps == []


async def test_what_only_counts_waits_for_nobody() -> None:
    work = Work([replace(JOB, dry_run=True)], IN_FLIGHT)
    await step(work)
    assert [taken.limit for taken in work.steps] == [AT_ONCE]


async def test_a_job_that_breaks_holds_up_no_other() -> None:
    work, time = Work([JOB, replace(JOB, id="rpl_2")]), Time()
    work.faulty = {"rpl_1"}
    replayer = Replayer(work, work.submit, BrokenRows("test", time.clock))
    assert await replayer.step() == SOON
    assert [taken.replay_id for taken in work.steps] == ["rpl_2"]
    assert await replayer.step() == IDLE, "it is left alone"
    work.faulty.clear()
    time.now += LEFT_ALONE
    await replayer.step()
    assert work.jobs == []
