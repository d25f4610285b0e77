"""Release: ops declare a sandbox gone that nobody can confirm, and what waited goes on."""

import pytest

from gateway.domain.kernel import commands as c
from gateway.domain.tasks.event import SandboxReported
from tests.domain.world import TASK, World

FAILED = {"stage": "agent", "code": "model_error", "message": "no", "retryable": True}
REASON = "the host burned down"


def release(attempt: int = 1, project: str | None = None) -> c.ReleaseSandbox:
    return c.ReleaseSandbox(task_id=TASK, project=project, attempt=attempt, reason=REASON)


def unconfirmed() -> World:
    """Attempt 2 waits for the sandbox of attempt 1, whose launcher does not come back."""
    world = World(maxAttempts=2)
    world.launch()
    world.emit("task.failed", error=FAILED)
    world.is_deserted = True
    world.pass_seconds(120)
    flags = {flag.code for flag in world.task.flags}
    assert flags == {"sandbox_unconfirmed", "cleanup_pending", "realm_missing"}
    return world


def test_the_next_attempt_may_begin() -> None:
    world = unconfirmed()
    world.do(release())
    assert world.task.flags == ()
    assert world.task.claimable_at == world.now
    released = next(event for event in world.view.events.new if event.type == "sandbox.released")
    assert isinstance(released.fact, SandboxReported)
    assert (released.attempt, released.fact.reason) == (1, REASON)
    assert [job.kind for job in world.claim()] == ["create"]


def test_whoever_was_about_to_destroy_it_is_not_asked_again() -> None:
    world = unconfirmed()
    (job,) = world.claim(capacity=0)
    world.do(release())
    events = len(world.types)
    world.done(job, "unknown")
    assert len(world.types) == events
    world.pass_seconds(600)
    assert world.claim(capacity=0) == []


def test_an_ended_task_shows_its_sandbox_gone() -> None:
    world = World()
    world.launch()
    world.emit("task.completed", summary="done")
    world.pass_seconds(120)
    world.do(release())
    assert world.task.sandbox is not None
    assert (world.status, world.task.sandbox.state) == ("completed", "gone")
    assert (world.task.flags, world.task.due_at) == ((), None)


def test_released_again_it_changes_nothing() -> None:
    world = unconfirmed()
    world.do(release())
    events = len(world.types)
    world.do(release())
    assert len(world.types) == events


@pytest.mark.parametrize("status", ["queued", "launching", "running", "cancelling"])
def test_the_sandbox_of_a_living_attempt_is_not_released(status: str) -> None:
    world = World()
    if status != "queued":
        (job,) = world.claim()
        world.trying(job)
        if status != "launching":
            world.done(job)
    if status == "cancelling":
        world.do(c.CancelTask(task_id=TASK, project="default"))
    assert world.refuses(release()) == "not_finished"


def test_what_is_not_there_is_not_found() -> None:
    world = unconfirmed()
    assert world.refuses(release(attempt=3)) == "not_found"
    assert world.refuses(release(project="other")) == "not_found"


def test_a_released_agent_is_refused_like_any_old_one() -> None:
    world = unconfirmed()
    world.do(release())
    assert world.refuses(world.word("task.progress", stage="push")) == "stale_attempt"
