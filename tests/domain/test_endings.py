"""Ends and clocks where two rules of `lifecycle.md` meet."""

from gateway.domain.kernel import commands as c
from gateway.wire.launcher import LaunchError, Process
from tests.domain.world import TASK, World

CANCEL = c.CancelTask(task_id=TASK, project="default")
PULL = "https://github.com/acme/widgets/pull/1"


def test_the_third_launch_that_hangs_ends_in_launch_timeout() -> None:
    world = World()
    for backoff in (5, 30, 0):
        assert len(world.claim()) == 1
        world.pass_seconds(600)
        world.pass_seconds(backoff)
    assert world.task.error is not None
    assert (world.status, world.task.error.code) == ("failed", "launch_timeout")


def test_a_relaunch_has_what_was_left_of_its_queue_clock() -> None:
    world = World(timeouts={"queueSeconds": 60})
    world.pass_seconds(40)
    (job,) = world.claim()
    world.pass_seconds(30)
    broken = LaunchError(code="provider_unavailable", message="503", retryable=True)
    world.do(c.FailJob(job_id=job.id, lease_token=job.token, error=broken))
    world.pass_seconds(24)
    assert world.status == "queued"
    world.pass_seconds(1)
    assert world.status == "expired"


def test_an_inspection_does_not_turn_a_pending_cancel_into_a_review() -> None:
    world = World(timeouts={"heartbeatSeconds": 10})
    world.launch()
    world.emit("task.pr_created", prUrl=PULL)
    world.do(CANCEL)
    world.pass_seconds(10)
    (job,) = world.claim(capacity=0)
    world.done(job, process=Process(state="exited"))
    assert world.status == "cancelled"


def test_an_agent_silent_after_its_pull_request_needs_review() -> None:
    world = World(timeouts={"heartbeatSeconds": 10})
    world.launch()
    world.emit("task.pr_created", prUrl=PULL)
    world.pass_seconds(10)
    assert world.status == "running"
    world.pass_seconds(10)
    assert world.status == "needs_review"


def test_a_failure_without_a_reason_is_told_with_one() -> None:
    world = World()
    world.launch()
    world.emit("task.failed", logTail="…")
    assert world.task.error is not None
    assert world.task.error.code == "agent_failed"


def test_a_task_whose_first_word_is_its_last_was_started() -> None:
    world = World()
    (job,) = world.claim()
    world.trying(job)
    world.emit("task.completed", summary="done")
    assert world.task.started_at == world.now


def test_an_inspection_that_nobody_took_ends_with_its_attempt() -> None:
    world = World(timeouts={"heartbeatSeconds": 10})
    world.launch()
    world.pass_seconds(10)
    world.emit("task.completed", summary="done")
    assert [job.kind for job in world.claim(capacity=0)] == ["destroy"]


def test_a_launch_that_succeeds_after_its_cancel_runs_until_its_sandbox_is_gone() -> None:
    world = World()
    (job,) = world.claim()
    assert world.trying(job).create
    world.do(CANCEL)
    world.done(job)
    (destroy,) = world.claim(capacity=0)
    assert (world.status, destroy.kind) == ("running", "destroy")
    world.done(destroy, "destroyed")
    assert world.status == "cancelled"
