"""At most one sandbox of a task is known live: leases, tries, clean-up and what may follow it."""

from gateway.domain.kernel import commands as c
from gateway.domain.launching.job import Job
from gateway.domain.launching.sandbox_identity import sandbox_name
from gateway.domain.tasks.task import Sandbox
from gateway.wire.launcher import LaunchError
from tests.domain.world import REALM, TASK, World

FAILED = {"stage": "agent", "code": "model_error", "message": "no", "retryable": True}
NAME = sandbox_name(TASK, 1)
CANCEL = c.CancelTask(task_id=TASK, project="default")
RETRY = c.RetryTask(task_id=TASK, project="default")


def waiting_for_cleanup() -> World:
    """Attempt 1 has failed, its sandbox is still there, attempt 2 waits for that."""
    world = World(maxAttempts=2)
    world.launch()
    world.emit("task.failed", error=FAILED)
    assert (world.status, world.task.attempt) == ("queued", 2)
    return world


def kinds(world: World) -> list[str]:
    return [job.kind for job in world.claim()]


def report(job_id: str, token: str, sandbox: Sandbox | None = None) -> c.FinishJob:
    return c.FinishJob(job_id=job_id, lease_token=token, sandbox=sandbox)


def test_a_cancel_while_the_old_sandbox_is_destroyed_ends_and_stays_ended() -> None:
    world = waiting_for_cleanup()
    world.do(CANCEL)
    assert world.status == "cancelled"
    (job,) = world.claim()
    world.done(job, "destroyed")
    assert (world.status, world.task.flags) == ("cancelled", ())


def test_a_destroy_is_still_watched_after_its_task_was_cancelled() -> None:
    world = waiting_for_cleanup()
    world.do(CANCEL)
    world.pass_seconds(120)
    assert world.task.has_flag("sandbox_unconfirmed")


def test_a_retry_after_such_a_cancel_waits_for_the_older_sandbox() -> None:
    world = waiting_for_cleanup()
    world.do(CANCEL)
    world.do(RETRY)
    assert world.task.has_flag("cleanup_pending")
    (job,) = world.claim()
    assert job.kind == "destroy"
    world.done(job, "destroyed")
    assert kinds(world) == ["create"]


def test_a_destroy_that_began_with_a_cancel_is_flagged_120_seconds_after_it() -> None:
    world = World()
    world.launch()
    world.do(CANCEL)
    world.pass_seconds(119)
    world.emit("task.completed", summary="done")
    world.pass_seconds(1)
    assert world.task.has_flag("sandbox_unconfirmed")


def test_a_lease_that_ran_out_cannot_be_renewed_beside_the_next_one() -> None:
    world = World()
    (job,) = world.claim("l1")
    world.pass_seconds(60)
    renew = c.RenewLease(job_id=job.id, lease_token=job.token)
    assert world.refuses(renew) == "lease_lost"
    assert [again.id for again in world.claim("l2")] == [job.id]


def test_a_job_that_was_answered_cannot_be_renewed() -> None:
    world = World()
    world.launch()
    world.emit("task.completed", summary="done")
    (job,) = world.claim(capacity=0)
    world.done(job, "unknown")
    assert world.refuses(c.RenewLease(job_id=job.id, lease_token=job.token)) == "lease_lost"
    world.pass_seconds(5)
    assert [again.id for again in world.claim(capacity=0)] == [job.id]


def test_a_delegated_job_is_not_shortened_by_a_renewal() -> None:
    world = World()
    (job,) = world.claim()
    until = world.now + 200_000
    world.do(c.DelegateJob(job_id=job.id, lease_token=job.token, until=until))
    world.do(c.RenewLease(job_id=job.id, lease_token=job.token))
    world.pass_seconds(100)
    assert world.claim("l2") == []
    assert [one.id for one in world.claim("l2", job_id=job.id)] == [job.id]
    assert world.claim("l3") == []


def test_a_delegated_destroy_is_for_a_launcher_of_its_realm_that_names_it() -> None:
    world = waiting_for_cleanup()
    (job,) = world.claim()
    until = world.now + 200_000
    world.do(c.DelegateJob(job_id=job.id, lease_token=job.token, until=until))
    assert world.claim("l2") == []
    assert world.claim("l2", job_id=job.id, providers=[("docker", "elsewhere")]) == []
    (again,) = world.claim("l2", job_id=job.id)
    assert (again.id, again.kind) == (job.id, "destroy")
    assert world.claim("l3", job_id=job.id) == []
    world.done(again, "destroyed")
    assert kinds(world) == ["create"]


def test_a_job_claimed_by_its_id_is_offered_to_nobody_else() -> None:
    world = World()
    (job,) = world.claim("l1")
    world.pass_seconds(60)
    (again,) = world.claim("l2", job_id=job.id)
    assert world.claim("l3") == []
    world.do(c.RenewLease(job_id=again.id, lease_token=again.token))


def test_a_relaunch_claimed_by_its_id_is_a_launch_and_waits_for_its_backoff() -> None:
    world = World()
    (job,) = world.claim("l1")
    world.pass_seconds(600)
    assert world.status == "queued"
    assert world.claim("l2", job_id=job.id) == []
    world.pass_seconds(5)
    assert world.claim("l2", job_id=job.id) != []
    assert world.status == "launching"


def test_a_job_of_another_realm_is_not_given_by_its_id() -> None:
    world = World()
    (job,) = world.claim("l1")
    world.trying(job)
    world.pass_seconds(60)
    assert world.claim("l2", job_id=job.id, providers=[("local", "elsewhere")]) == []


def test_a_try_after_the_end_does_not_bring_a_gone_sandbox_back() -> None:
    world = World()
    (create,) = world.claim()
    world.trying(create)
    world.emit("task.completed", summary="done")
    (destroy,) = world.claim(capacity=0)
    world.done(destroy, "destroyed")
    assert not world.trying(create).create
    assert world.view.attempts[TASK, 1].is_gone
    assert world.task.sandbox is not None
    assert world.task.sandbox.state == "destroyed"


def test_only_a_create_job_may_try() -> None:
    world = World(timeouts={"heartbeatSeconds": 10})
    world.launch()
    world.pass_seconds(10)
    (inspect,) = world.claim(capacity=0)
    assert not world.trying(inspect).create


def test_after_another_try_the_old_id_proves_nothing() -> None:
    world = World()
    (first,) = world.claim("l1")
    world.trying(first)
    made = Sandbox(id="sb-1", name=NAME, provider=REALM[0], realm=REALM[1])
    world.do(c.ReportCreated(job_id=first.id, lease_token=first.token, sandbox=made))
    broken = LaunchError(code="provider_unavailable", message="503", retryable=True)
    world.do(c.FailJob(job_id=first.id, lease_token=first.token, error=broken))
    world.pass_seconds(5)
    (second,) = world.claim("l1")
    world.trying(second)
    world.do(CANCEL)
    (destroy,) = world.claim(capacity=0)
    world.done(destroy, "gone")
    assert not world.view.attempts[TASK, 1].is_gone


def test_a_sandbox_that_comes_after_its_destroy_is_destroyed_under_a_new_lease() -> None:
    world = World()
    (create,) = world.claim()
    world.trying(create)
    world.emit("task.completed", summary="done")
    (destroy,) = world.claim(capacity=0)
    world.done(destroy, "destroyed")
    made = Sandbox(id="sb-2", name=NAME, provider=REALM[0], realm=REALM[1])
    world.do(c.ReportCreated(job_id=create.id, lease_token=create.token, sandbox=made))
    (again,) = world.claim(capacity=0)
    assert (again.id, again.token != destroy.token) == (destroy.id, True)


def test_gone_by_name_waits_until_no_create_can_be_under_way() -> None:
    world = World(timeouts={"heartbeatSeconds": 10})
    (create,) = world.claim()
    world.trying(create)
    world.emit("task.started")
    for _ in range(4):
        world.pass_seconds(16)
        for job in world.claim("l2", capacity=0):
            gone = Sandbox(name=NAME, provider=REALM[0], realm=REALM[1], state="gone")
            world.do(report(job.id, job.token, gone))
    assert world.status == "running"


def test_an_id_that_a_destroy_found_makes_the_absence_conclusive_at_once() -> None:
    """The first launcher died between the removal and its report."""
    world = World()
    (create,) = world.claim()
    world.trying(create)
    world.emit("task.started")
    world.emit("task.completed", summary="done")
    (destroy,) = world.claim(capacity=0)
    seen = Sandbox(id="sb-1", name=NAME, provider=REALM[0], realm=REALM[1], state="started")
    world.do(c.ReportCreated(job_id=destroy.id, lease_token=destroy.token, sandbox=seen))
    world.pass_seconds(world.view.policy.lease // 1_000)
    (again,) = world.claim("l2", capacity=0)
    gone = Sandbox(name=NAME, provider=REALM[0], realm=REALM[1], state="gone")
    world.do(report(again.id, again.token, gone))
    assert world.task.sandbox is not None
    assert world.task.sandbox.state == "destroyed"


def test_a_word_between_two_looks_makes_the_second_a_first_one() -> None:
    world = World(timeouts={"heartbeatSeconds": 100})
    world.launch()
    world.pass_seconds(100)
    (job,) = world.claim(capacity=0)
    world.done(job, "gone")
    world.pass_seconds(10)
    world.emit("task.heartbeat")
    world.pass_seconds(10)
    (job,) = world.claim(capacity=0)
    world.done(job, "gone")
    assert world.status == "running"


def test_a_sandbox_found_gone_is_shown_so() -> None:
    world = World(timeouts={"heartbeatSeconds": 100})
    world.launch()
    world.pass_seconds(100)
    for _ in range(2):
        (job,) = world.claim(capacity=0)
        world.done(job, "gone")
        world.pass_seconds(15)
    assert world.status == "failed"
    assert world.task.sandbox is not None
    assert world.task.sandbox.state == "gone"


def test_a_look_that_began_before_the_sandbox_was_there_proves_nothing() -> None:
    world = World()
    (create,) = world.claim("l1")
    world.trying(create)
    world.do(CANCEL)
    (destroy,) = world.claim("l2", capacity=0)
    made = Sandbox(id=NAME, name=NAME, provider=REALM[0], realm=REALM[1], state="started")
    world.do(c.ReportCreated(job_id=create.id, lease_token=create.token, sandbox=made))
    gone = Sandbox(id=NAME, name=NAME, provider=REALM[0], realm=REALM[1], state="gone")
    assert world.refuses(report(destroy.id, destroy.token, gone)) == "lease_lost"
    (again,) = world.claim("l2", capacity=0)
    world.done(again, "gone")
    assert world.view.attempts[TASK, 1].is_gone


def test_a_look_by_name_proves_nothing_if_it_began_too_early() -> None:
    world = World()
    (create,) = world.claim("l1")
    world.trying(create)
    world.do(CANCEL)
    (slow,) = world.claim("l2", capacity=0)
    for _ in range(5):
        world.pass_seconds(40)
        world.do(c.RenewLease(job_id=slow.id, lease_token=slow.token))
    gone = Sandbox(name=NAME, provider=REALM[0], realm=REALM[1], state="gone")
    world.do(report(slow.id, slow.token, gone))
    assert not world.view.attempts[TASK, 1].is_gone
    world.pass_seconds(5)
    (again,) = world.claim("l2", capacity=0)
    world.do(report(again.id, again.token, gone))
    assert world.view.attempts[TASK, 1].is_gone


def test_a_second_look_that_began_too_early_is_a_first_one() -> None:
    world = World(timeouts={"heartbeatSeconds": 10})
    world.launch()
    world.pass_seconds(10)
    (first,) = world.claim(capacity=0)
    world.done(first, "gone")
    world.pass_seconds(10)
    (hastened,) = world.claim(capacity=0)
    world.pass_seconds(6)
    world.done(hastened, "gone")
    assert world.status == "running"


def test_a_cancelled_launch_that_is_done_waits_for_its_destroy() -> None:
    world = World()
    (create,) = world.claim("l1")
    world.trying(create)
    world.do(CANCEL)
    world.done(create)
    (destroy,) = world.claim("l2", capacity=0)
    world.done(destroy, "destroyed")
    assert world.status == "cancelled"


def destroyed_while_launching() -> tuple[World, Job]:
    """The sandbox of a cancelled launch was destroyed before its launcher said that it is there."""
    world = World()
    (create,) = world.claim("l1")
    world.trying(create)
    world.do(CANCEL)
    (destroy,) = world.claim("l2", capacity=0)
    world.done(destroy, "destroyed")
    assert world.status == "cancelled"
    return world, create


def test_a_late_report_does_not_bring_a_destroyed_sandbox_back() -> None:
    world, create = destroyed_while_launching()
    world.do(RETRY)
    world.done(create)
    assert world.view.attempts[TASK, 1].is_gone
    assert kinds(world) == ["create"]


def test_the_next_attempt_waits_for_a_sandbox_that_came_late() -> None:
    world, create = destroyed_while_launching()
    world.do(RETRY)
    late = Sandbox(id="another", name=NAME, provider=REALM[0], realm=REALM[1], state="started")
    world.do(c.ReportCreated(job_id=create.id, lease_token=create.token, sandbox=late))
    assert world.task.has_flag("cleanup_pending")
    (destroy,) = world.claim()
    assert destroy.kind == "destroy"
    world.done(destroy, "destroyed")
    assert kinds(world) == ["create"]


def test_nothing_is_created_beside_a_sandbox_that_came_late() -> None:
    world, create = destroyed_while_launching()
    world.do(RETRY)
    (second,) = world.claim("l1", holding=[create.id])
    late = Sandbox(id="another", name=NAME, provider=REALM[0], realm=REALM[1], state="started")
    world.do(c.ReportCreated(job_id=create.id, lease_token=create.token, sandbox=late))
    assert not world.trying(second).create
