"""The table of `lifecycle.md`, row by row."""

from msgspec.structs import replace

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.answers import AgentEventReply
from gateway.wire.launcher import LaunchError, Process
from tests.domain.world import TASK, World

ERROR = {"stage": "agent", "code": "model_error", "message": "no", "retryable": True}


def cancel() -> c.CancelTask:
    return c.CancelTask(task_id=TASK, project="default")


def retry() -> c.RetryTask:
    return c.RetryTask(task_id=TASK, project="default")


def test_a_task_goes_from_post_to_completed() -> None:
    world = World()
    world.launch()
    assert world.status == "running"
    world.emit("task.started")
    world.emit("task.progress", stage="agent", message="turn 1 of 60")
    assert (world.task.stage, world.task.message) == ("agent", "turn 1 of 60")
    world.emit("task.completed", prUrl="https://github.com/acme/widgets/pull/1", summary="done")
    assert world.status == "completed"
    assert world.task.pr_url == "https://github.com/acme/widgets/pull/1"
    (job,) = world.claim(capacity=0)
    assert job.kind == "destroy"
    world.done(job, "destroyed")
    assert world.task.sandbox is not None
    assert world.task.sandbox.state == "destroyed"
    assert world.task.due_at is None


def test_a_queued_task_expires_when_no_launcher_comes() -> None:
    world = World(timeouts={"queueSeconds": 5})
    world.pass_seconds(5)
    assert world.status == "expired"


def test_a_queued_task_is_cancelled_at_once() -> None:
    world = World()
    world.do(cancel())
    assert world.status == "cancelled"
    assert world.claim() == []


def test_cancelling_an_ended_task_is_refused() -> None:
    world = World()
    world.do(cancel())
    assert world.refuses(cancel()) == "already_finished"


def test_a_running_agent_hears_of_a_cancel_and_its_failure_ends_cancelled() -> None:
    world = World()
    world.launch()
    world.emit("task.started")
    world.do(cancel())
    assert world.status == "running"
    assert world.emit("task.heartbeat").cancel
    world.emit("task.failed", error={**ERROR, "code": "cancelled"})
    assert world.status == "cancelled"


def test_work_that_is_done_is_done_even_if_a_cancel_is_pending() -> None:
    world = World()
    world.launch()
    world.emit("task.started")
    world.do(cancel())
    world.emit("task.completed", summary="done")
    assert world.status == "completed"


def test_an_agent_that_ignores_a_cancel_loses_its_sandbox() -> None:
    world = World()
    world.launch()
    world.emit("task.started")
    world.do(cancel())
    world.pass_seconds(60)
    (job,) = world.claim(capacity=0)
    world.done(job, "destroyed")
    assert world.status == "cancelled"


def test_a_cancel_is_over_even_if_nobody_confirms_it() -> None:
    world = World()
    world.launch()
    world.do(cancel())
    world.pass_seconds(120)
    assert world.status == "cancelled"


def test_a_retryable_launch_failure_is_tried_three_times() -> None:
    world = World()
    error = LaunchError(code="provider_unavailable", message="503", retryable=True)
    for wait in (5, 30, 0):
        (job,) = world.claim()
        world.do(c.FailJob(job_id=job.id, lease_token=job.token, error=error))
        assert world.claim() == []
        world.pass_seconds(wait)
    assert world.status == "failed"
    assert world.task.error is not None
    assert world.task.error.code == "provider_unavailable"
    assert world.task.attempt == 1


def test_a_permanent_launch_failure_ends_the_task() -> None:
    world = World(maxAttempts=3)
    (job,) = world.claim()
    error = LaunchError(code="snapshot_not_found", message="no such snapshot", retryable=False)
    world.do(c.FailJob(job_id=job.id, lease_token=job.token, error=error))
    assert world.status == "failed"


def test_a_lost_lease_is_offered_again_and_the_old_token_is_fenced() -> None:
    world = World()
    (first,) = world.claim("l1")
    world.pass_seconds(60)
    assert world.status == "launching"
    (second,) = world.claim("l2")
    assert second.id == first.id
    stale = c.RenewLease(job_id=first.id, lease_token=first.token)
    assert world.refuses(stale) == "lease_lost"
    world.trying(second)
    world.done(second)
    assert world.status == "running"


def test_a_job_whose_claim_was_lost_goes_back_to_the_same_process() -> None:
    world = World()
    (first,) = world.claim("l1")
    (again,) = world.claim("l1", holding=())
    assert again.id == first.id
    assert again.token != first.token


def test_a_report_after_the_job_closed_gets_the_first_answer() -> None:
    world = World()
    job = world.launch()
    events = len(world.types)
    world.done(job)
    assert len(world.types) == events


def test_a_launch_that_hangs_is_revoked_and_counted() -> None:
    world = World()
    for _ in range(3):
        (job,) = world.claim()
        world.pass_seconds(300)
        assert world.task.has_flag("launch_slow")
        for _ in range(5):
            if world.status == "launching":
                world.pass_seconds(60)
        assert world.refuses(c.RenewLease(job_id=job.id, lease_token=job.token)) == "lease_lost"
        world.pass_seconds(30)
        if world.task.status.is_terminal:
            break
    assert world.task.error is not None


def test_the_agents_word_before_done_makes_the_task_running_and_forbids_creation() -> None:
    world = World()
    (job,) = world.claim()
    assert world.trying(job).create
    world.emit("task.started")
    assert world.status == "running"
    assert not world.trying(job).create


def test_silence_is_flagged_and_inspected_and_a_word_clears_it() -> None:
    world = World(timeouts={"heartbeatSeconds": 10})
    world.launch()
    world.emit("task.started")
    world.pass_seconds(10)
    assert world.task.flag is not None
    assert world.task.flag.code == "silent"
    assert [job.kind for job in world.claim(capacity=0)] == ["inspect"]
    world.emit("task.heartbeat")
    assert world.task.flag is None


def test_on_stall_fail_ends_a_silent_task_after_one_more_period() -> None:
    world = World(timeouts={"heartbeatSeconds": 10}, onStall="fail", maxAttempts=2)
    world.launch()
    world.pass_seconds(10)
    assert world.status == "running"
    world.pass_seconds(10)
    assert world.status == "failed"


def test_on_stall_retry_opens_the_next_attempt_once_the_sandbox_is_gone() -> None:
    world = World(timeouts={"heartbeatSeconds": 10}, onStall="retry", maxAttempts=2)
    world.launch()
    world.pass_seconds(10)
    world.pass_seconds(10)
    assert (world.status, world.task.attempt) == ("queued", 2)
    assert world.task.has_flag("cleanup_pending")
    jobs = world.claim()
    assert "create" not in [job.kind for job in jobs]
    destroy = next(job for job in jobs if job.kind == "destroy")
    world.done(destroy, "destroyed")
    (create,) = world.claim(holding=())
    assert (create.kind, create.attempt) == ("create", 2)


def test_an_exited_agent_fails_after_its_spool_was_read() -> None:
    world = World(timeouts={"heartbeatSeconds": 10})
    world.launch()
    world.emit("task.started")
    world.pass_seconds(10)
    (job,) = world.claim(capacity=0)
    exited = Process(state="exited", exit_code=1)
    world.done(job, process=exited, spooled=2, spool_offset=99)
    assert world.status == "running"
    (job,) = world.claim(capacity=0)
    assert job.id.endswith("inspect-2")
    world.done(job, process=exited)
    assert world.task.error is not None
    assert world.task.error.code == "agent_exited"


def test_an_agent_that_exits_after_its_pull_request_needs_review() -> None:
    world = World(timeouts={"heartbeatSeconds": 10})
    world.launch()
    world.emit("task.pr_created", prUrl="https://github.com/acme/widgets/pull/1")
    world.pass_seconds(10)
    (job,) = world.claim(capacity=0)
    world.done(job, process=Process(state="exited"))
    assert world.status == "needs_review"


def test_gone_needs_two_looks_fifteen_seconds_apart() -> None:
    world = World(timeouts={"heartbeatSeconds": 100})
    world.launch()
    world.pass_seconds(100)
    (job,) = world.claim(capacity=0)
    world.done(job, "gone")
    assert world.status == "running"
    world.pass_seconds(15)
    (job,) = world.claim(capacity=0)
    world.done(job, "gone")
    assert world.task.error is not None
    assert world.task.error.code == "sandbox_gone"


def test_the_hard_clock_asks_the_sandbox_and_then_ends_the_task() -> None:
    world = World(timeouts={"runSeconds": 20})
    world.launch()
    world.pass_seconds(20)
    assert world.status == "running"
    (job,) = world.claim(capacity=0)
    world.done(job)
    assert world.status == "timed_out"


def test_a_look_that_was_under_way_when_the_hard_clock_ran_out_does_not_judge_it() -> None:
    world = World(timeouts={"runSeconds": 20, "heartbeatSeconds": 10})
    world.launch()
    world.pass_seconds(10)
    (early,) = world.claim(capacity=0)
    world.pass_seconds(10)
    world.done(early)
    assert world.status == "running"
    (late,) = world.claim(capacity=0)
    world.done(late)
    assert world.status == "timed_out"


def test_a_word_that_was_spooled_and_comes_again_directly_shows_its_agent_reachable() -> None:
    world = World()
    world.launch()
    spooled = world.word("task.progress")
    world.do(replace(spooled, spooled=True))
    assert world.task.has_flag("unreachable")
    world.do(replace(spooled, spooled=True))
    assert world.task.has_flag("unreachable")
    world.do(spooled)
    assert not world.task.has_flag("unreachable")


def test_the_hard_clock_does_not_wait_for_a_launcher_for_ever() -> None:
    world = World(timeouts={"runSeconds": 20})
    world.launch()
    world.pass_seconds(20)
    world.pass_seconds(60)
    assert world.status == "timed_out"


def test_the_same_webhook_again_is_a_duplicate_and_another_body_is_refused() -> None:
    world = World()
    world.launch()
    word = world.word("task.progress", stage="agent")
    world.do(word)
    events = len(world.types)
    answer = world.do(word)
    assert isinstance(answer, AgentEventReply)
    assert answer.duplicate
    assert len(world.types) == events
    assert world.refuses(replace(word, body_hash=b"other")) == "webhook_id_reused"


def test_a_word_whose_answer_was_lost_is_told_applied_until_its_attempt_is_over() -> None:
    world = World()
    world.launch()
    word = world.word("task.progress", stage="push")
    world.do(word)
    again = world.do(word)
    assert isinstance(again, AgentEventReply)
    assert (again.applied, again.cancel) == (True, False)
    world.emit("task.failed", error={"stage": "push", "code": "x", "message": "y"})
    late = world.do(word)
    assert isinstance(late, AgentEventReply)
    assert (late.applied, late.cancel) == (False, True)


def test_a_late_word_is_kept_but_moves_nothing() -> None:
    world = World()
    world.launch()
    world.emit("task.completed", summary="done")
    before = world.task
    assert world.refuses(world.word("task.progress", stage="x")) == "attempt_finished"
    late = world.view.events.new[-1]
    assert (late.applied, late.reason) == (False, "attempt_finished")
    assert replace(world.task, seq=before.seq) == before


def test_a_word_of_an_old_attempt_is_stale() -> None:
    world = World(maxAttempts=2)
    world.launch()
    world.emit("task.failed", error=ERROR)
    assert world.task.attempt == 2
    assert world.refuses(world.word("task.progress", stage="x")) == "stale_attempt"


def test_a_word_signed_with_another_key_is_refused() -> None:
    world = World()
    world.launch()
    forged = replace(world.word("task.progress"), key_id="k0")
    assert world.refuses(forged) == "invalid_signature"


def test_a_retry_opens_the_next_attempt_past_max_attempts() -> None:
    world = World()
    world.launch()
    assert world.refuses(retry()) == "not_finished"
    world.emit("task.failed", error={**ERROR, "retryable": False})
    world.do(retry())
    assert (world.status, world.task.attempt) == ("queued", 2)


def test_a_launcher_that_reports_after_the_end_only_changes_the_clean_up() -> None:
    world = World()
    (job,) = world.claim()
    world.trying(job)
    world.emit("task.completed", summary="done")
    world.done(job)
    assert world.status == "completed"
    assert "destroy" in [offered.kind for offered in world.claim(capacity=0)]


def test_an_unconfirmed_destroy_is_flagged_and_offered_again() -> None:
    world = World()
    world.launch()
    world.emit("task.completed", summary="done")
    (job,) = world.claim(capacity=0)
    world.done(job, "unknown")
    assert world.claim(capacity=0) == []
    world.pass_seconds(120)
    assert world.task.has_flag("sandbox_unconfirmed")
    (job,) = world.claim(capacity=0)
    world.done(job, "destroyed")
    assert world.task.flag is None


def test_why_a_destroy_is_not_confirmed_stands_in_its_flag() -> None:
    world = World()
    world.launch()
    world.emit("task.completed", summary="done")
    (job,) = world.claim(capacity=0)
    error = LaunchError(code="provider_auth", message="401 from Daytona", retryable=False)
    world.do(c.FailJob(job_id=job.id, lease_token=job.token, error=error))
    world.pass_seconds(120)
    (flag,) = world.task.flags
    assert flag.code == "sandbox_unconfirmed"
    assert flag.detail.endswith("is not confirmed: provider_auth: 401 from Daytona")
    (job,) = world.claim(capacity=0)
    world.done(job, "unknown")
    assert world.view.jobs[job.id].error is None


def test_another_project_does_not_see_the_task() -> None:
    world = World()
    foreign = c.CancelTask(task_id=TASK, project="other")
    assert world.refuses(foreign) == "not_found"
