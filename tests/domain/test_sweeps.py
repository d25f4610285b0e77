"""Sweeps: what carries our labels and is wanted by nobody goes; nothing else is touched."""

import pytest
from msgspec.structs import replace

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.commands import SweepNow
from gateway.domain.launching.job import Job, labels
from gateway.domain.launching.realm import Sweep
from gateway.domain.launching.sandbox_identity import sandbox_name
from gateway.domain.launching.sweep_findings import SWEEP_EVERY
from gateway.domain.tasks.task import Sandbox
from gateway.wire.launcher import LaunchError, SweptSandbox
from gateway.wire.times import rfc3339
from tests.domain.world import REALM, TASK, World

INSTANCE = "ins_ours"
GRACE = 165
"""Seconds within which a create may still land."""
OTHER = TASK[:-1] + "z"


def world_of(**spec: object) -> World:
    world = World(**spec)
    world.view.policy = replace(world.view.policy, instance_id=INSTANCE)
    world.offered = {"sweep", "destroy"}
    return world


def sandbox(world: World, **changes: object) -> SweptSandbox:
    """The sandbox of attempt 1, as a sweep finds it."""
    found = SweptSandbox(
        id="sb-1",
        name=sandbox_name(TASK, 1),
        labels=labels(INSTANCE, TASK, 1),
        state="started",
        created_at=rfc3339(world.now - 3_600_000),
    )
    return replace(found, **changes)


def swept(world: World, *found: SweptSandbox, place: tuple[str, str] = REALM) -> list[Job]:
    """The orphans a sweep has brought to light."""
    world.claim("sweeper", capacity=0, providers=[place])
    world.now += SWEEP_EVERY
    jobs = world.claim("sweeper", capacity=0, providers=[place])
    sweep = next(job for job in jobs if job.kind == "sweep")
    world.do(c.FinishJob(job_id=sweep.id, lease_token=sweep.token, sandboxes=found))
    return [job for job in world.view.jobs.values() if job.orphan is not None and job.is_open]


def ended(world: World) -> None:
    """Attempt 1 has ended, and its sandbox is known to be gone."""
    world.launch()
    world.emit("task.completed", summary="done")
    (job,) = world.claim(capacity=0)
    world.done(job, "destroyed")


def test_a_realm_is_swept_every_five_minutes_by_one_launcher() -> None:
    world = world_of()
    assert [job.kind for job in world.claim("l1", capacity=0)] == []
    world.now += SWEEP_EVERY - 1
    assert [job.kind for job in world.claim("l1", capacity=0)] == []
    world.now += 1
    (sweep,) = world.claim("l1", capacity=0)
    assert (sweep.kind, sweep.provider, sweep.realm) == ("sweep", *REALM)
    assert world.claim("l2", capacity=0) == []
    world.do(c.FinishJob(job_id=sweep.id, lease_token=sweep.token))
    assert world.claim("l2", capacity=0) == []
    world.now += SWEEP_EVERY
    (again,) = world.claim("l2", capacity=0)
    assert (again.id, again.token != sweep.token) == (sweep.id, True)


def test_a_sweep_that_failed_comes_again() -> None:
    world = world_of()
    world.claim(capacity=0)
    world.now += SWEEP_EVERY
    (sweep,) = world.claim(capacity=0)
    error = LaunchError(code="provider_unavailable", message="503", retryable=True)
    world.do(c.FailJob(job_id=sweep.id, lease_token=sweep.token, error=error))
    assert world.claim(capacity=0) == []
    world.now += SWEEP_EVERY
    assert [job.id for job in world.claim(capacity=0)] == [sweep.id]


def test_each_realm_has_its_own_sweep() -> None:
    world = world_of()
    both = [REALM, ("docker", "d1")]
    world.claim(capacity=0, providers=both)
    world.now += SWEEP_EVERY
    assert len(world.claim(capacity=0, providers=both)) == 2


def test_a_sandbox_whose_attempt_is_over_and_counts_as_gone_is_destroyed() -> None:
    world = world_of()
    ended(world)
    (job,) = swept(world, sandbox(world))
    assert job.kind == "destroy"
    assert job.orphan is not None
    assert (job.orphan.name, job.orphan.id) == (sandbox_name(TASK, 1), "sb-1")
    assert (job.provider, job.realm) == REALM
    assert world.status == "completed"


def test_the_sandbox_of_the_living_attempt_is_left_alone() -> None:
    world = world_of()
    world.launch()
    events = len(world.types)
    assert swept(world, sandbox(world)) == []
    assert len(world.types) == events


def test_a_sandbox_of_another_instance_is_never_touched() -> None:
    world = world_of()
    ended(world)
    foreign = sandbox(world, labels=labels("ins_other", TASK, 1))
    bare = sandbox(world, labels={})
    assert swept(world, foreign, bare) == []


@pytest.mark.parametrize("state", ["gone", "destroyed"])
def test_what_is_not_there_any_more_needs_no_destroy(state: str) -> None:
    world = world_of()
    ended(world)
    assert swept(world, sandbox(world, state=state)) == []


def test_a_list_that_is_behind_is_given_time() -> None:
    world = world_of()
    world.claim("sweeper", capacity=0)
    world.now += SWEEP_EVERY
    (sweep,) = world.claim("sweeper", capacity=0)
    ended(world)
    world.now += GRACE * 1000 - 1
    found = (sandbox(world),)
    world.do(c.FinishJob(job_id=sweep.id, lease_token=sweep.token, sandboxes=found))
    assert not any(job.orphan for job in world.view.jobs.values())


def test_a_kept_sandbox_is_left_alone_until_its_time_is_over() -> None:
    world = world_of(keepSandbox=True)
    world.launch()
    world.emit("task.completed", summary="done")
    assert swept(world, sandbox(world)) == []
    destroy = world.view.jobs[f"job_{TASK.removeprefix('task_')}-1-destroy"]
    assert destroy.not_before == (world.task.finished_at or 0) + 24 * 3_600_000


@pytest.mark.parametrize(
    ("age", "orphans"),
    [pytest.param(3_600, 1, id="an old one"), pytest.param(-290, 0, id="one made just now")],
)
@pytest.mark.parametrize(
    ("task", "attempt"),
    [
        pytest.param(OTHER, 1, id="of a task we do not know"),
        pytest.param(TASK, 7, id="of an attempt we do not know"),
        pytest.param("", "x", id="of nobody"),
    ],
)
def test_a_sandbox_of_ours_that_belongs_to_nothing_is_destroyed(
    task: str, attempt: int | str, age: int, orphans: int
) -> None:
    world = world_of()
    made = rfc3339(world.now - age * 1_000)
    found = sandbox(world, labels=labels(INSTANCE, task, attempt), created_at=made)
    assert len(swept(world, found)) == orphans


def test_one_whose_age_nobody_knows_is_old() -> None:
    world = world_of()
    found = sandbox(world, labels=labels(INSTANCE, OTHER, 1), created_at=None)
    assert len(swept(world, found)) == 1


def test_a_second_sandbox_in_another_realm_is_not_the_living_one() -> None:
    world = world_of()
    world.launch()
    (job,) = swept(world, sandbox(world), place=("docker", "d1"))
    assert (job.provider, job.realm) == ("docker", "d1")
    assert world.status == "running"


def test_an_orphan_is_destroyed_until_it_is_gone_and_may_come_again() -> None:
    world = world_of()
    ended(world)
    (orphan,) = swept(world, sandbox(world))
    (job,) = world.claim(capacity=0)
    assert job.id == orphan.id
    world.do(c.FinishJob(job_id=job.id, lease_token=job.token))
    assert world.claim(capacity=0) == []
    world.pass_seconds(5)
    (job,) = world.claim(capacity=0)
    report = Sandbox(name=sandbox_name(TASK, 1), provider=REALM[0], realm=REALM[1], id="sb-1")
    other = replace(report, name="slipgate-other-1", state="destroyed")
    done = c.FinishJob(job_id=job.id, lease_token=job.token, sandbox=other)
    assert world.refuses(done) == "sandbox_mismatch"
    world.do(replace(done, sandbox=replace(report, state="destroyed")))
    assert not world.view.jobs[job.id].is_open
    (again,) = swept(world, sandbox(world))
    assert (again.id, again.token != job.token) == (job.id, True)


def test_the_spool_of_an_orphan_is_read_on_where_it_was_left() -> None:
    world = world_of()
    ended(world)
    swept(world, sandbox(world))
    (job,) = world.claim(capacity=0)
    world.do(c.FinishJob(job_id=job.id, lease_token=job.token, spooled=3, spool_offset=99))
    (job,) = world.claim(capacity=0)
    assert job.orphan is not None
    assert job.orphan.spool_offset == 99


def test_a_released_sandbox_that_comes_back_is_destroyed() -> None:
    world = world_of()
    world.launch()
    world.emit("task.completed", summary="done")
    world.do(c.ReleaseSandbox(task_id=TASK, project=None, attempt=1, reason="lost"))
    assert len(swept(world, sandbox(world))) == 1


def newest(world: World) -> Sweep:
    """The newest sweep."""
    return world.view.sweeps[-1]


def test_a_sweep_keeps_what_it_found_and_why_nobody_wants_it() -> None:
    world = world_of()
    ended(world)
    foreign = sandbox(world, id="sb-2", labels=labels("ins_other", TASK, 1))
    made_at = rfc3339(world.now + SWEEP_EVERY - 1_000)
    ghost = sandbox(world, id="sb-3", labels=labels(INSTANCE, OTHER, 2), created_at=made_at)
    swept(world, sandbox(world), foreign, ghost)
    found = newest(world)
    assert (found.realm, found.seen, found.unwanted) == ((*REALM, ""), 2, 2)
    assert [(one.id, one.outcome, one.reason) for one in found.sandboxes] == [
        ("sb-1", "destroying", "attempt 1 is over"),
        ("sb-3", "waiting", "there is no such task"),
    ]
    assert (found.sandboxes[0].task_id, found.sandboxes[0].attempt) == (TASK, 1)


def test_what_is_wanted_is_seen_and_not_listed() -> None:
    world = world_of()
    world.launch()
    swept(world, sandbox(world))
    assert (newest(world).seen, newest(world).sandboxes) == (1, ())


def test_a_sweep_that_failed_has_found_nothing() -> None:
    world = world_of()
    world.claim(capacity=0)
    world.now += SWEEP_EVERY
    (sweep,) = world.claim(capacity=0)
    error = LaunchError(code="provider_unavailable", message="503", retryable=True)
    world.do(c.FailJob(job_id=sweep.id, lease_token=sweep.token, error=error))
    assert world.view.sweeps == []


def test_a_sweep_that_is_wanted_now_is_offered_now_and_only_once() -> None:
    world = world_of()
    world.claim("l1", capacity=0)
    world.do(SweepNow(realms=((*REALM, ""), ("docker", "nowhere", ""))))
    (sweep,) = world.claim("l1", capacity=0)
    assert sweep.kind == "sweep"
    world.do(SweepNow(realms=((*REALM, ""),)))
    assert world.claim("l2", capacity=0) == []
    world.do(c.FinishJob(job_id=sweep.id, lease_token=sweep.token))
    assert world.claim("l2", capacity=0) == []
