"""Realms: only their launchers can judge a sandbox, so a task says when none of them calls."""

from msgspec.structs import replace

from gateway.domain.kernel import commands as c
from tests.domain.world import REALM, TASK, World

FAILED = {"stage": "agent", "code": "model_error", "message": "no", "retryable": True}

HERE = (*REALM, "")
"""Served by launchers of all projects."""


def deserted(**spec: object) -> World:
    """A world in which launchers call only when told to."""
    world = World(**spec)
    world.is_deserted = True
    return world


def running() -> World:
    world = deserted(timeouts={"heartbeatSeconds": 3_600})
    world.launch()
    world.emit("task.started")
    return world


def is_flagged(world: World) -> bool:
    return world.task.has_flag("realm_missing")


def test_a_running_task_says_that_its_realm_has_no_live_launcher() -> None:
    world = running()
    world.pass_seconds(59.999)
    assert not is_flagged(world)
    world.pass_seconds(0.001)
    assert is_flagged(world)
    assert world.task.flag is not None
    assert "local@here" in world.task.flag.detail
    assert world.status == "running"


def test_a_call_of_its_realm_clears_it_and_no_other_does() -> None:
    world = running()
    world.pass_seconds(60)
    world.claim(capacity=0, providers=[("docker", "d1")])
    world.pass_seconds(0)
    assert is_flagged(world)
    world.claim(capacity=0)
    world.pass_seconds(0)
    assert not is_flagged(world)
    assert world.types[-1] == "task.recovered"


def test_whoever_renews_a_lease_is_live() -> None:
    world = deserted()
    (job,) = world.claim()
    world.trying(job)
    for _ in range(10):
        world.pass_seconds(15)
        world.do(c.RenewLease(job_id=job.id, lease_token=job.token))
    assert not is_flagged(world)


def test_an_old_token_makes_nobody_live() -> None:
    world = deserted()
    (job,) = world.claim()
    world.trying(job)
    world.pass_seconds(60)
    assert world.refuses(c.RenewLease(job_id=job.id, lease_token=job.token)) == "lease_lost"
    assert is_flagged(world)


def test_a_task_in_no_realm_misses_none() -> None:
    world = deserted()
    world.claim()
    world.pass_seconds(60)
    assert not is_flagged(world)


def test_the_next_attempt_still_misses_the_realm_of_the_old_sandbox() -> None:
    world = deserted(maxAttempts=2, timeouts={"heartbeatSeconds": 3_600})
    world.launch()
    world.pass_seconds(60)
    world.emit("task.failed", error=FAILED)
    assert (world.status, world.task.attempt) == ("queued", 2)
    assert {flag.code for flag in world.task.flags} == {"realm_missing", "cleanup_pending"}
    (job,) = world.claim(capacity=0)
    world.done(job, "destroyed")
    assert not is_flagged(world)


def test_an_ended_task_keeps_it_until_its_realm_calls() -> None:
    world = running()
    world.pass_seconds(60)
    world.emit("task.completed", summary="done")
    assert is_flagged(world)
    world.claim(capacity=0)
    world.pass_seconds(0)
    assert not is_flagged(world)


def test_a_realm_that_goes_missing_says_nothing_to_tasks_that_have_ended() -> None:
    world = running()
    world.emit("task.completed", summary="done")
    world.pass_seconds(60)
    assert not is_flagged(world)


def test_a_gateway_that_just_started_waits_60_seconds() -> None:
    world = running()
    world.view.policy = replace(world.view.policy, started_at=world.now + 50_000)
    world.pass_seconds(60)
    world.pass_seconds(49.999)
    assert not is_flagged(world)
    world.pass_seconds(0.001)
    assert is_flagged(world)


def test_our_own_absence_makes_nobody_missing() -> None:
    world = running()
    world.do(c.Pulse(at=world.now))
    world.now += 600_000
    world.do(c.Pulse(at=world.now))
    world.pass_seconds(59.999)
    assert not is_flagged(world)
    world.pass_seconds(0.001)
    assert is_flagged(world)


def test_a_realm_that_was_missing_before_our_absence_still_is() -> None:
    world = running()
    world.pass_seconds(60)
    world.do(c.Pulse(at=world.now))
    world.now += 600_000
    world.do(c.Pulse(at=world.now))
    assert is_flagged(world)
    assert not world.view.realms[HERE].is_live(world.now)


def test_more_tasks_than_one_look_takes_are_told_by_the_next() -> None:
    world = running()
    world.now += 60_000
    world.view.realms.has_more_stranded = True
    world.do(c.RealmDue(key=HERE))
    assert world.view.realms[HERE].due_at == world.now
    # The next one finds tasks for which nothing is to be done: a third would find the same.
    world.do(c.RealmDue(key=HERE))
    assert world.view.realms[HERE].due_at is None
    assert world.types.count("task.stalled") == 1
    assert world.view.attempts[TASK, 1].provider_realm == REALM
