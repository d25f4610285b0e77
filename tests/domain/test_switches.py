"""Switches: what a pause stops, what goes on, and what does not count meanwhile."""

import pytest
from msgspec.structs import replace

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.errors import ApiError
from gateway.domain.operations.status import StatusFacts, problems
from gateway.domain.operations.switch_changes import SetSwitches
from gateway.domain.operations.switches import ALL, Switch
from gateway.domain.tasks.concurrency_keys import Period, time_blocked
from gateway.wire.launcher import LaunchError
from tests.domain.world import REALM, SECRET, TASK, World

BROKEN = LaunchError(code="provider_unavailable", message="503", retryable=True)


def pause(
    world: World, switch: Switch, *, project: str = ALL, seconds: float | None = None
) -> None:
    until = None if seconds is None else world.now + round(seconds * 1000)
    world.do(_change(paused=(switch,), project=project, until=until))


def resume(world: World, switch: Switch, *, project: str = ALL) -> None:
    world.do(_change(resumed=(switch,), project=project))


def _change(**fields: object) -> SetSwitches:
    bare = SetSwitches(
        paused=(), resumed=(), project=ALL, until=None, reason="maintenance", actor="key:k"
    )
    return replace(bare, **fields)


def refusal(world: World) -> ApiError | None:
    """The refusal of a retry; the task has ended."""
    try:
        world.view.switches.check_intake("default", world.now)
    except ApiError as refused:
        return refused
    return None


@pytest.mark.parametrize(
    ("seconds", "retry_after"), [(None, 60), (90, 90), (0.1, 1), (86_400, 300)]
)
def test_paused_intake_tells_when_to_come_again(seconds: float | None, retry_after: int) -> None:
    world = World()
    pause(world, "intake", seconds=seconds)
    refused = refusal(world)
    assert refused is not None
    assert (refused.code, refused.retry_after) == ("intake_paused", retry_after)


def test_paused_intake_refuses_a_retry_and_lets_a_cancel_through() -> None:
    world = World()
    pause(world, "intake")
    world.do(c.CancelTask(task_id=TASK, project="default"))
    assert world.refuses(c.RetryTask(task_id=TASK, project="default")) == "intake_paused"
    resume(world, "intake")
    world.do(c.RetryTask(task_id=TASK, project="default"))
    assert world.status == "queued"


def test_an_end_by_the_clock_needs_nobody() -> None:
    world = World()
    pause(world, "launching", seconds=10)
    world.pass_seconds(9.999)
    assert world.claim() == []
    world.pass_seconds(0.001)
    assert [job.kind for job in world.claim()] == ["create"]


@pytest.mark.parametrize(("project", "number"), [(ALL, 0), ("default", 0), ("elsewhere", 1)])
def test_a_pause_concerns_its_project(project: str, number: int) -> None:
    world = World()
    pause(world, "launching", project=project)
    assert len(world.claim()) == number


def test_paused_launching_lets_inspections_and_destroys_go_on() -> None:
    world = World()
    world.launch()
    pause(world, "launching")
    world.emit("task.started")
    world.emit("task.completed", summary="done")
    assert [job.kind for job in world.claim()] == ["destroy"]


def test_the_queue_clock_stands_still_while_launching_is_paused() -> None:
    world = World(timeouts={"queueSeconds": 60})
    world.pass_seconds(50)
    pause(world, "launching")
    for _ in range(20):
        world.pass_seconds(1_000)
    assert world.status == "queued"
    assert world.claim() == []
    resume(world, "launching")
    world.pass_seconds(9)
    assert world.status == "queued"
    world.pass_seconds(2)
    assert world.status == "expired"


def test_nobody_is_said_to_be_missing_while_launching_is_paused() -> None:
    world = World()
    world.is_deserted = True
    pause(world, "launching")
    for _ in range(5):
        world.pass_seconds(100)
    assert not world.task.has_flag("no_launcher")
    resume(world, "launching")
    world.pass_seconds(31)
    assert world.task.has_flag("no_launcher")


def test_a_launch_that_lost_its_launcher_is_not_counted_while_it_may_not_go_on() -> None:
    world = World()
    (job,) = world.claim()
    world.trying(job)
    pause(world, "launching")
    for _ in range(30):
        world.pass_seconds(61)
    assert world.claim() == []
    assert (world.status, world.view.attempts[TASK, 1].launches) == ("launching", 1)
    resume(world, "launching")
    assert [job.kind for job in world.claim()] == ["create"]


def test_what_a_launcher_was_asked_to_start_elsewhere_goes_on() -> None:
    world = World()
    (job,) = world.claim()
    until = world.now + 60_000
    world.do(c.DelegateJob(job_id=job.id, lease_token=job.token, until=until))
    pause(world, "launching")
    assert [job.kind for job in world.claim("l2", job_id=job.id)] == ["create"]


def test_the_same_pause_again_has_the_new_reason_and_its_old_beginning() -> None:
    world = World()
    pause(world, "delivering")
    world.now += 5_000
    world.do(_change(paused=("delivering",), reason="still", until=world.now + 1))
    (found,) = world.view.switches.values()
    assert (found.since, found.until, found.reason) == (world.now - 5_000, world.now + 1, "still")


def test_who_resumed_it_and_why_is_kept() -> None:
    world = World()
    pause(world, "delivering")
    pause(world, "delivering", project="default")
    resume(world, "delivering")
    whole, own = world.view.switches.values()
    assert (whole.ended_by, whole.end_reason, own.ended_by) == ("key:k", "maintenance", None)
    assert world.view.switches.pause("delivering", "default", world.now) == own


@pytest.mark.parametrize(
    ("periods", "blocked"),
    [
        ([], 0),
        ([(20, 30)], 10),
        ([(0, 5), (95, None)], 5),
        ([(0, 200)], 100 - 10),
        ([(20, 40), (30, 50)], 30),
        ([(20, 90), (30, 40), (50, None)], 80),
    ],
    ids=["none", "inside", "before, and lasting", "around", "overlapping", "one in another"],
)
def test_no_moment_is_counted_twice(periods: list[Period], blocked: int) -> None:
    assert time_blocked(periods, 10, 100) == blocked


FACTS = StatusFacts(
    tasks={},
    ended=0,
    flags=(),
    failures=(),
    oldest_claimable=None,
    endpoints=(),
    dead=None,
    due=0,
    oldest_due_at=None,
    launchers=0,
)


def test_a_pause_is_a_problem_with_the_command_that_ends_it() -> None:
    world = World()
    pause(world, "launching", project="a team", seconds=90)
    facts = replace(FACTS, pauses=tuple(world.view.switches.values()))
    (found,) = problems(facts, world.now)
    assert (found.code, found.since) == ("launching_paused", world.now)
    assert found.do == "slipgate switches resume launching --project='a team'"
    assert "for 2 more min (maintenance)" in found.summary


def test_what_a_pause_explains_is_no_problem_beside_it() -> None:
    world = World()
    pause(world, "delivering")
    facts = replace(FACTS, due=7, oldest_due_at=1, pauses=tuple(world.view.switches.values()))
    assert [each.code for each in problems(facts, world.now)] == ["delivering_paused"]


def test_a_claim_names_the_capacity_for_creates_by_id_too() -> None:
    world = World()
    (job,) = world.claim()
    world.do(c.FailJob(job_id=job.id, lease_token=job.token, error=BROKEN))
    world.pass_seconds(6)
    wanted = c.Claim(launcher_id="l1", providers=(REALM,), capacity=0, job_id=job.id, secret=SECRET)
    assert world.do(wanted) is not None
    assert world.task.claimable_at is not None


def test_a_pause_that_was_ended_stays_so_though_the_clock_is_set_back() -> None:
    world = World()
    pause(world, "intake")
    pause(world, "launching")
    world.pass_seconds(60)
    resume(world, "intake")
    resume(world, "launching")
    world.now -= 30_000
    assert refusal(world) is None
    assert world.view.switches.pause("launching", "default", world.now) is None
