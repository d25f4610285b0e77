"""A provider that fails for a cause of its own is paused, probed and resumed; no task is lost."""

from typing import Final

import pytest
from msgspec.structs import replace

from gateway.domain.kernel import commands as c
from gateway.domain.launching.job import Job
from gateway.domain.operations.alert_changes import causes
from gateway.domain.operations.status import Group, StatusFacts, problems
from gateway.domain.operations.switch_changes import SetSwitches
from gateway.domain.operations.switches import Pause
from gateway.domain.tasks.concurrency_keys import Period, common_periods
from gateway.wire.launcher import LaunchError
from tests.domain.world import TASK, World

AUTH: Final = LaunchError(
    code="provider_auth", message="401", retryable=False, provider="local", stderr_tail="x"
)
PLACES: Final = [("local", "here"), ("docker", "here")]


def fail(world: World, error: LaunchError = AUTH, tried: str = "") -> None:
    """The launch that a launcher gets fails, after a try at this provider."""
    (job,) = world.claim(providers=PLACES if tried else [("local", "here")])
    if tried:
        world.do(
            c.TrySandbox(
                job_id=job.id,
                lease_token=job.token,
                provider=tried,
                realm="here",
                name=world.name(job),
                number=2,
            )
        )
    world.do(c.FailJob(job_id=job.id, lease_token=job.token, error=error))


def fail_often(world: World, times: int, error: LaunchError = AUTH) -> None:
    """Launches in a row; a task that has ended is tried again by its owner."""
    for _ in range(times):
        if world.task.status.is_terminal:
            world.do(c.RetryTask(task_id=TASK, project="default"))
        fail(world, error)
        world.pass_seconds(31)


def held(world: World) -> Pause | None:
    """The pause at the provider."""
    return world.view.switches.holding(("local", "here", ""), world.now)


def change(world: World, **fields: object) -> None:
    bare = SetSwitches(paused=(), resumed=(), project="", until=None, reason="r", actor="key:k")
    world.do(replace(bare, provider="local", **fields))


def test_five_launches_in_a_row_pause_the_provider_and_the_fifth_task_waits() -> None:
    world = World()
    fail_often(world, 4)
    assert held(world) is None
    assert world.status == "failed"
    fail_often(world, 1)
    pause = held(world)
    assert pause is not None
    assert (pause.actor, pause.code, pause.provider) == ("gateway", "provider_auth", "local@here")
    assert "401" in pause.reason
    assert world.status == "queued"
    assert world.task.has_flag("provider_down")
    assert world.claim() == []
    audited = [(one.action, one.actor) for one in world.view.audit if one.target == "launching"]
    assert audited == [("switch.paused", "gateway")]


@pytest.mark.parametrize(
    "error",
    [
        replace(AUTH, code="snapshot_not_found"),
        replace(AUTH, code="provider_quota", retryable=True),
        replace(AUTH, provider="elsewhere"),
    ],
    ids=["the task's snapshot", "no room just now", "a provider nobody claims with"],
)
def test_what_is_not_the_providers_cause_pauses_nothing(error: LaunchError) -> None:
    world = World()
    fail_often(world, 7, error)
    assert not world.view.switches


def test_a_success_or_another_error_begins_the_count_anew() -> None:
    world = World()
    fail_often(world, 4)
    fail_often(world, 1, replace(AUTH, code="provider_suspended"))
    fail_often(world, 4)
    world.do(c.RetryTask(task_id=TASK, project="default"))
    world.launch()
    world.do(c.CancelTask(task_id=TASK, project="default"))
    world.pass_seconds(121)
    assert world.view.realms["local", "here", ""].failures == 0
    assert not world.view.switches


def test_one_launch_is_tried_with_growing_pauses_until_one_succeeds() -> None:
    world = World()
    fail_often(world, 5)
    waits = []
    for _ in range(6):
        pause = held(world)
        assert pause is not None
        assert pause.probe_at is not None
        world.pass_seconds(max(0, pause.probe_at - world.now) / 1000)
        began = world.now
        fail(world)
        assert world.claim() == []
        following = held(world)
        assert following is not None
        waits.append(((following.probe_at or 0) - began) // 1000)
    assert waits == [120, 240, 480, 900, 900, 900]
    assert world.status == "queued", "its queue clock stands still, and no probe is counted"
    assert world.view.attempts[TASK, world.task.attempt].launches == 0
    world.pass_seconds(900)
    world.launch()
    assert held(world) is None
    assert world.status == "running"
    assert not world.task.has_flag("provider_down")
    assert [one.action for one in world.view.audit if one.target == "launching"] == [
        "switch.paused",
        "switch.resumed",
    ]


def test_the_provider_that_was_tried_is_paused_whatever_the_launcher_names() -> None:
    world = World()
    down = replace(AUTH, code="provider_unavailable", retryable=True)
    fail(world, down, tried="docker")
    assert world.view.realms["docker", "here", ""].failures == 1
    assert world.view.realms["local", "here", ""].failures == 0


def test_ops_resume_what_the_gateway_has_paused_and_tasks_lose_their_flag() -> None:
    world = World()
    fail_often(world, 5)
    change(world, resumed=("launching",))
    world.pass_seconds(0)
    assert not world.task.has_flag("provider_down")
    assert [job.kind for job in world.claim()] == ["create"]


def test_ops_pause_a_provider_by_hand_without_probes() -> None:
    world = World()
    world.claim(capacity=0)
    change(world, paused=("launching",))
    world.pass_seconds(3_600)
    assert world.claim() == []
    assert (world.status, world.task.has_flag("provider_down")) == ("queued", True)
    change(world, resumed=("launching",))
    world.pass_seconds(0)
    assert len(world.claim()) == 1


def test_a_launcher_is_sent_to_its_next_provider() -> None:
    world = World()
    world.claim(capacity=0, providers=PLACES)
    change(world, paused=("launching",))
    world.pass_seconds(0)
    assert not world.task.has_flag("provider_down")
    (job,) = world.claim(providers=PLACES)
    assert (job.provider, job.realm) == ("docker", "here")


def test_a_task_that_names_the_paused_provider_waits() -> None:
    world = World(provider="local")
    world.claim(capacity=0, providers=PLACES)
    change(world, paused=("launching",))
    jobs: list[Job] = world.claim(providers=PLACES)
    assert jobs == []


@pytest.mark.parametrize(
    ("some", "others", "common"),
    [
        ([(0, 10)], [(5, None)], [(5, 10)]),
        ([(0, None)], [(5, None)], [(5, None)]),
        ([(0, 4), (8, 12)], [(3, 9)], [(3, 4), (8, 9)]),
        ([(0, 4)], [(4, 9)], []),
        ([(0, 4)], [], []),
    ],
)
def test_the_common_part_of_periods(
    some: list[Period], others: list[Period], common: list[Period]
) -> None:
    assert common_periods(some, others) == common


def test_the_status_names_the_cause_the_tasks_and_the_command() -> None:
    world = World()
    fail_often(world, 5)
    pause = held(world)
    assert pause is not None
    group = Group(code="provider_down", count=3, since=1, example=TASK)
    facts = StatusFacts(
        tasks={},
        ended=0,
        flags=(group,),
        failures=(),
        oldest_claimable=replace(group, code="queued"),
        endpoints=(),
        dead=None,
        due=0,
        oldest_due_at=None,
        launchers=1,
        pauses=(pause,),
    )
    (problem,) = problems(facts, world.now)
    assert (problem.code, problem.count, problem.example) == ("provider_down", 3, TASK)
    assert problem.do == "slipgate switches resume launching --provider=local@here"
    assert problem.summary.endswith("; a launch is tried in 29 s")
    # Launches that have another place go there, and may leave the probe due for long.
    (due,) = problems(facts, world.now + 60_000)
    assert due.summary.endswith("; the next launch that can go nowhere else is tried")
    assert causes([problem]) == {"ops.provider_down": problem}
    by_hand = replace(pause, code=None, probe_at=None, actor="key:k")
    assert problems(replace(facts, pauses=(by_hand,)), world.now)[0].code == "provider_paused"
