"""Launches: whose sandbox it is, where it may be, what it came up from, what failed for good."""

import msgspec
import pytest
from msgspec.structs import replace

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.answers import LeaseReply, TryReply
from gateway.domain.launching.job import Job
from gateway.domain.tasks.event import Ended, LaunchReport, Retried
from gateway.domain.tasks.task import Sandbox
from gateway.wire.launcher import LaunchError, Process
from tests.domain.world import REALM, TASK, World

CANCEL = c.CancelTask(task_id=TASK, project="default")


def try_of(world: World, job: Job, **changes: object) -> c.TrySandbox:
    tried = c.TrySandbox(
        job_id=job.id,
        lease_token=job.token,
        provider=REALM[0],
        realm=REALM[1],
        name=world.name(job),
        number=1,
    )
    return replace(tried, **changes)


def made(world: World, job: Job, **changes: object) -> c.ReportCreated:
    sandbox = Sandbox(id="sb-1", name=world.name(job), provider=REALM[0], realm=REALM[1])
    return c.ReportCreated(
        job_id=job.id, lease_token=job.token, sandbox=replace(sandbox, **changes)
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"name": "slipgate-other-1"}, "sandbox_mismatch", id="another name"),
        pytest.param({"realm": "elsewhere"}, "provider_mismatch", id="a realm not claimed with"),
        pytest.param({"provider": "docker"}, "provider_mismatch", id="a provider not claimed with"),
    ],
)
def test_a_try_is_about_the_attempts_own_sandbox_where_its_launcher_is(
    changes: dict[str, object], code: str
) -> None:
    world = World()
    (job,) = world.claim()
    assert world.refuses(try_of(world, job, **changes)) == code
    assert world.refuses(made(world, job, **changes)) == code
    assert "sandbox.trying" not in world.types
    assert not world.view.attempts[TASK, 1].was_tried


def test_a_report_names_the_sandbox_its_job_is_about() -> None:
    world = World()
    world.launch()
    world.emit("task.completed", summary="done")
    (job,) = world.claim(capacity=0)
    other = Sandbox(name="slipgate-other-1", provider=REALM[0], realm=REALM[1], state="destroyed")
    done = c.FinishJob(job_id=job.id, lease_token=job.token, sandbox=other)
    assert world.refuses(done) == "sandbox_mismatch"


def test_a_task_for_one_provider_is_made_there_and_nowhere_else() -> None:
    world = World(provider="local")
    both = [("docker", "d1"), REALM]
    (job,) = world.claim(providers=both)
    assert (job.provider, job.realm) == REALM
    assert world.refuses(try_of(world, job, provider="docker", realm="d1")) == "provider_mismatch"
    assert world.trying(job).create


def test_the_next_provider_of_the_chain_may_try_in_the_same_realm_only() -> None:
    world = World()
    chain = [("daytona-api", "org"), ("daytona-cli", "org"), REALM]
    (job,) = world.claim(providers=chain)
    world.do(try_of(world, job, provider="daytona-api", realm="org"))
    world.do(try_of(world, job, provider="daytona-cli", realm="org", number=2))
    assert world.refuses(try_of(world, job, number=3)) == "realm_mismatch"


def test_the_same_try_again_is_one_event_and_a_new_window() -> None:
    world = World()
    (job,) = world.claim()
    world.do(try_of(world, job))
    world.do(made(world, job))
    world.now += 7_000
    again = world.do(try_of(world, job))
    assert isinstance(again, TryReply)
    assert (again.create, again.create_before) == (True, world.now + 30_000)
    assert world.types.count("sandbox.trying") == 1
    attempt = world.view.attempts[TASK, 1]
    assert attempt.create_before == world.now + 30_000
    assert attempt.sandbox is not None
    assert attempt.sandbox.id == "sb-1"


@pytest.mark.parametrize(
    ("code", "has_spoken", "status"),
    [
        pytest.param("provider_auth", True, "failed", id="401 and 403 are for good"),
        pytest.param("snapshot_not_found", True, "failed", id="so is an unknown snapshot"),
        pytest.param("snapshot_inactive", True, "failed", id="and an inactive one"),
        pytest.param("provider_quota", False, "queued", id="quota and 429 pass"),
        pytest.param("provider_unavailable", False, "queued", id="busy, 5xx and network pass"),
        pytest.param("oddity", True, "queued", id="of others the launcher says it"),
        pytest.param("oddity", False, "failed", id="either way"),
    ],
)
def test_whether_another_launch_may_help_is_a_matter_of_the_code(
    code: str, has_spoken: bool, status: str
) -> None:
    world = World()
    (job,) = world.claim()
    error = LaunchError(code=code, message="no", retryable=has_spoken)
    world.do(c.FailJob(job_id=job.id, lease_token=job.token, error=error))
    assert world.status == status


def test_a_launch_that_fails_after_its_agent_spoke_is_looked_into_at_once() -> None:
    world = World()
    (job,) = world.claim()
    world.trying(job)
    world.emit("task.started")
    error = LaunchError(code="sandbox_gone", message="no", retryable=True)
    world.do(c.FailJob(job_id=job.id, lease_token=job.token, error=error))
    assert world.status == "running"
    (look,) = world.claim()
    assert look.kind == "inspect"


def test_a_delegation_ends_with_the_launch_it_belongs_to() -> None:
    world = World()
    (job,) = world.claim()
    until = world.now + 3_600_000
    world.do(c.DelegateJob(job_id=job.id, lease_token=job.token, until=until))
    world.pass_seconds(600)
    assert world.status == "queued"
    assert world.claim("l2", job_id=job.id) == []
    world.pass_seconds(5)
    (again,) = world.claim("l2", job_id=job.id)
    assert world.view.attempts[TASK, 1].launches == 2
    assert again.token != job.token


def test_another_snapshot_than_asked_is_flagged_until_another_sandbox_replaces_it() -> None:
    world = World()
    chain = [("daytona-api", "org"), ("daytona-cli", "org")]
    (job,) = world.claim(providers=chain)
    world.do(try_of(world, job, provider="daytona-api", realm="org"))
    wrong = {"provider": "daytona-api", "realm": "org", "snapshot": "default"}
    world.do(made(world, job, **wrong))
    assert world.task.flag is not None
    assert world.task.flag.code == "wrong_snapshot"
    assert "default" in world.task.flag.detail
    world.do(try_of(world, job, provider="daytona-cli", realm="org", number=2))
    right = {"provider": "daytona-cli", "realm": "org", "snapshot": "agent-1"}
    world.do(made(world, job, id="sb-2", **right))
    assert not world.task.flags
    assert world.types[-1] == "task.recovered"


def test_an_agent_that_had_exited_when_its_sandbox_was_up_is_looked_at_once() -> None:
    world = World()
    (job,) = world.claim()
    world.trying(job)
    world.done(job, process=Process(state="exited", exit_code=127))
    assert world.status == "running"
    (inspect,) = world.claim(capacity=0)
    world.done(inspect, process=Process(state="exited", exit_code=127))
    assert world.task.error is not None
    assert world.task.error.code == "agent_exited"


def test_done_without_a_sandbox_is_taken_as_trying_and_created() -> None:
    world = World()
    (job,) = world.claim()
    world.do(c.FinishJob(job_id=job.id, lease_token=job.token))
    assert world.status == "running"
    assert world.task.sandbox is not None
    assert (world.task.sandbox.name, world.task.sandbox.state) == (world.name(job), "started")
    world.emit("task.completed", summary="done")
    assert [one.kind for one in world.claim(capacity=0)] == ["destroy"]


def test_a_try_of_an_ended_task_is_answered_whatever_realm_it_names() -> None:
    world = World()
    (job,) = world.claim()
    world.trying(job)
    world.emit("task.completed", summary="done")
    answer = world.do(try_of(world, job, realm="elsewhere"))
    assert isinstance(answer, TryReply)
    assert not answer.create


def test_a_look_that_comes_late_does_not_hide_that_the_sandbox_is_being_destroyed() -> None:
    world = World(timeouts={"heartbeatSeconds": 10})
    world.launch()
    world.pass_seconds(10)
    (look,) = world.claim(capacity=0)
    world.emit("task.completed", summary="done")
    world.done(look)
    assert world.task.sandbox is not None
    assert world.task.sandbox.state == "destroying"


def test_an_attempt_remembers_when_it_began_was_claimed_ran_and_ended() -> None:
    world = World(maxAttempts=2)
    created_at = world.now
    world.now += 5_000
    (job,) = world.claim()
    world.now += 5_000
    world.trying(job)
    world.done(job)
    world.now += 5_000
    world.emit(
        "task.failed", error={"stage": "agent", "code": "x", "message": "x", "retryable": True}
    )
    first, second = world.view.attempts[TASK, 1], world.view.attempts[TASK, 2]
    assert (first.opened_at, first.claimed_at, first.started_at, first.ended_at) == (
        created_at,
        created_at + 5_000,
        created_at + 10_000,
        created_at + 15_000,
    )
    assert (first.outcome, first.error and first.error.code) == ("failed", "x")
    assert (second.opened_at, second.key_id, second.claimed_at) == (created_at + 15_000, "k1", None)


def test_an_attempt_that_nobody_took_has_a_row_when_it_is_over() -> None:
    world = World(timeouts={"queueSeconds": 5})
    created_at = world.now
    world.pass_seconds(5)
    attempt = world.view.attempts[TASK, 1]
    assert (attempt.opened_at, attempt.claimed_at, attempt.outcome) == (created_at, None, "expired")


def test_only_progress_log_and_usage_are_progress() -> None:
    world = World()
    world.launch()
    world.pass_seconds(600)
    world.emit("task.started")
    world.pass_seconds(300)
    assert world.task.has_flag("no_progress")
    world.emit("task.heartbeat")
    assert world.task.has_flag("no_progress")
    world.emit("task.usage", inputTokens=1)
    assert not world.task.has_flag("no_progress")


def test_a_sandbox_that_comes_up_after_the_cancel_runs_and_is_destroyed() -> None:
    world = World()
    (job,) = world.claim()
    world.trying(job)
    world.do(CANCEL)
    world.done(job)
    assert world.status == "running"
    (destroy,) = world.claim(capacity=0)
    world.done(destroy, "destroyed")
    assert world.status == "cancelled"


def test_a_cancelled_launch_that_was_never_tried_is_over_when_its_lease_is() -> None:
    world = World()
    world.claim()
    world.do(CANCEL)
    assert world.status == "launching"
    world.pass_seconds(60)
    assert world.status == "cancelled"


@pytest.mark.parametrize("has_started", [False, True])
def test_a_renewal_tells_of_a_cancel_as_soon_as_the_sandbox_may_go(has_started: bool) -> None:
    world = World()
    (job,) = world.claim()
    world.trying(job)
    if has_started:
        world.emit("task.started")
    world.do(CANCEL)
    renewal = c.RenewLease(job_id=job.id, lease_token=job.token)
    answer = world.do(renewal)
    assert isinstance(answer, LeaseReply)
    assert answer.cancel is not has_started
    world.now += 59_000
    world.do(renewal)
    world.now += 1_000
    later = world.do(renewal)
    assert isinstance(later, LeaseReply)
    assert later.cancel


def test_a_delegated_job_does_not_wait_for_ever() -> None:
    world = World()
    world.launch()
    world.emit("task.completed", summary="done")
    (job,) = world.claim(capacity=0)
    for_ever = world.now + 10**12
    world.do(c.DelegateJob(job_id=job.id, lease_token=job.token, until=for_ever))
    world.pass_seconds(599)
    assert world.claim("l2", capacity=0) == []
    world.pass_seconds(1)
    assert [again.id for again in world.claim("l2", capacity=0)] == [job.id]


def test_what_a_launcher_saw_of_a_failure_stands_in_the_history() -> None:
    world = World()
    error = LaunchError(
        code="provider_unavailable",
        message="503",
        retryable=True,
        provider="daytona-cli",
        exit_code=1,
        stderr_tail="level=fatal",
    )
    for wait in (5, 30, 0):
        (job,) = world.claim()
        world.do(c.FailJob(job_id=job.id, lease_token=job.token, error=error))
        fact = world.view.events.new[-1].fact
        assert isinstance(fact, Retried | Ended)
        assert isinstance(fact.report, msgspec.Raw)
        report = msgspec.json.decode(fact.report, type=LaunchReport)
        assert (report.provider, report.exit_code) == ("daytona-cli", 1)
        assert report.stderr_tail == "level=fatal"
        world.pass_seconds(wait)
    assert world.status == "failed"
