"""Explanations of a launch."""

from typing import Final

import pytest

from gateway.domain.explain.explanation import ExplainInput
from gateway.domain.kernel import commands as c
from gateway.domain.launching.job import Job
from tests.domain.explain.scenes import Scene, call, claimed, created, failed, now, told, tried
from tests.domain.world import TASK, World


def just_claimed() -> ExplainInput:
    world = World()
    claimed(world)
    world.pass_seconds(3)
    return now(world)


def creating_a_sandbox() -> ExplainInput:
    world = World()
    tried(world, claimed(world))
    world.pass_seconds(20)
    return now(world)


def trying_the_second_provider() -> ExplainInput:
    world = World()
    job = claimed(world)
    tried(world, job)
    world.pass_seconds(3)
    tried(world, job, number=2, note="daytona-api answered 503")
    world.pass_seconds(3)
    return now(world)


def created_but_not_started() -> ExplainInput:
    world = World()
    job = claimed(world)
    tried(world, job)
    world.pass_seconds(20)
    created(world, job)
    return now(world)


def created_from_another_snapshot() -> ExplainInput:
    world = World()
    job = claimed(world)
    tried(world, job)
    created(world, job, snapshot="agent-0")
    return now(world)


def slow() -> ExplainInput:
    world = World()
    job = claimed(world)
    tried(world, job)
    created(world, job)
    for _ in range(7):
        _renewed(world, job)
    return now(world)


def its_lease_ran_out_and_nobody_is_there() -> ExplainInput:
    world = World()
    claimed(world)
    world.pass_seconds(70)
    return now(world)


def its_lease_ran_out_and_another_may_take_it() -> ExplainInput:
    world = World()
    tried(world, claimed(world))
    world.pass_seconds(70)
    return now(world, launchers=(call(world, "launcher-b"),))


def delegated() -> ExplainInput:
    world = World()
    job = claimed(world)
    until = world.now + 240_000
    world.do(c.DelegateJob(job_id=job.id, lease_token=job.token, until=until, note="run 7"))
    world.pass_seconds(30)
    return now(world)


def the_third_launch() -> ExplainInput:
    world = _launched_twice()
    claimed(world)
    world.pass_seconds(4)
    return now(world)


def the_third_launch_with_an_attempt_left() -> ExplainInput:
    world = _launched_twice(maxAttempts=2)
    job = claimed(world)
    world.pass_seconds(4)
    tried(world, job)
    return now(world)


def _launched_twice(**spec: object) -> World:
    world = World(**spec)
    for pause in (6, 31):
        failed(world, claimed(world), "provider_unavailable", "HTTP 503")
        world.pass_seconds(pause)
    return world


def _renewed(world: World, job: Job) -> None:
    world.now += 45_000
    world.do(c.RenewLease(job_id=job.id, lease_token=job.token))
    world.do(c.TaskDue(task_id=TASK))


TABLE: Final = [
    pytest.param(
        just_claimed,
        (
            "launching since 14:13 (3 s), launch 1 of 3; "
            "launcher-a holds it and has not begun to create a sandbox; "
            "if it has not started by 14:23, launch 2 of 3 follows"
        ),
        "launcher-a to create a sandbox",
        [
            "14:14:20 lease of launcher-a: the launch is offered again, unless renewed",
            "14:18:20 launch clock: flagged launch_slow",
            "14:23:20 launch clock: the lease is revoked, launch 2 of 3 follows",
        ],
        id="just claimed",
    ),
    pytest.param(
        creating_a_sandbox,
        (
            "launching since 14:13 (20 s), launch 1 of 3; "
            "launcher-a is creating slipgate-0v00e008000000000007-1 at local@here; "
            "if it has not started by 14:23, launch 2 of 3 follows"
        ),
        "local@here to create the sandbox",
        [
            "14:14:20 lease of launcher-a: the launch is offered again, unless renewed",
            "14:18:20 launch clock: flagged launch_slow",
            "14:23:20 launch clock: the lease is revoked, launch 2 of 3 follows",
        ],
        id="creating a sandbox",
    ),
    pytest.param(
        trying_the_second_provider,
        (
            "launching since 14:13 (6 s), launch 1 of 3; "
            "launcher-a is creating slipgate-0v00e008000000000007-1 at local@here (try 2: "
            "daytona-api answered 503); "
            "if it has not started by 14:23, launch 2 of 3 follows"
        ),
        "local@here to create the sandbox",
        [
            "14:14:20 lease of launcher-a: the launch is offered again, unless renewed",
            "14:18:20 launch clock: flagged launch_slow",
            "14:23:20 launch clock: the lease is revoked, launch 2 of 3 follows",
        ],
        id="trying the second provider",
    ),
    pytest.param(
        created_but_not_started,
        (
            "launching since 14:13 (20 s), launch 1 of 3; "
            "launcher-a has created slipgate-0v00e008000000000007-1 at local@here, which is not "
            "reported started yet; "
            "if it has not started by 14:23, launch 2 of 3 follows"
        ),
        "the sandbox to start",
        [
            "14:14:20 lease of launcher-a: the launch is offered again, unless renewed",
            "14:18:20 launch clock: flagged launch_slow",
            "14:23:20 launch clock: the lease is revoked, launch 2 of 3 follows",
        ],
        id="created but not started",
    ),
    pytest.param(
        created_from_another_snapshot,
        (
            "launching since 14:13 (0 s), launch 1 of 3; "
            "launcher-a has created slipgate-0v00e008000000000007-1 at local@here, which is not "
            "reported started yet; "
            "its sandbox is not what was asked for: it came up from agent-0, not from agent-1; "
            "if it has not started by 14:23, launch 2 of 3 follows"
        ),
        "the sandbox to start",
        [
            "14:14:20 lease of launcher-a: the launch is offered again, unless renewed",
            "14:18:20 launch clock: flagged launch_slow",
            "14:23:20 launch clock: the lease is revoked, launch 2 of 3 follows",
        ],
        id="created from another snapshot",
    ),
    pytest.param(
        slow,
        (
            "launching since 14:13 (5 min), slowly, launch 1 of 3; "
            "launcher-a has created slipgate-0v00e008000000000007-1 at local@here, which is not "
            "reported started yet; "
            "if it has not started by 14:23, launch 2 of 3 follows"
        ),
        "the sandbox to start",
        [
            "14:19:35 lease of launcher-a: the launch is offered again, unless renewed",
            "14:23:20 launch clock: the lease is revoked, launch 2 of 3 follows",
        ],
        id="slow",
    ),
    pytest.param(
        its_lease_ran_out_and_nobody_is_there,
        (
            "launching since 14:13 (1 min), launch 1 of 3; "
            "launcher-a no longer holds it, so the launch is offered again; "
            "no launcher is live; "
            "if it has not started by 14:23, launch 2 of 3 follows"
        ),
        "a launcher",
        [
            "14:15:00 flagged no_launcher, unless a launcher has claimed it",
            "14:18:20 launch clock: flagged launch_slow",
            "14:23:20 launch clock: the lease is revoked, launch 2 of 3 follows",
        ],
        id="its lease ran out and nobody is there",
    ),
    pytest.param(
        its_lease_ran_out_and_another_may_take_it,
        (
            "launching since 14:13 (1 min), launch 1 of 3; "
            "launcher-a no longer holds it, so the launch is offered again; "
            "launcher-b can take it; "
            "if it has not started by 14:23, launch 2 of 3 follows"
        ),
        "a launcher of local@here to take it over",
        [
            "14:15:00 flagged no_launcher, unless a launcher has claimed it",
            "14:18:20 launch clock: flagged launch_slow",
            "14:23:20 launch clock: the lease is revoked, launch 2 of 3 follows",
        ],
        id="its lease ran out and another may take it",
    ),
    pytest.param(
        delegated,
        (
            "launching since 14:13 (30 s), launch 1 of 3; "
            "launcher-a asked a launcher to start elsewhere, which has until 14:17 to claim it; "
            "if it has not started by 14:23, launch 2 of 3 follows"
        ),
        "the launcher that was asked to start",
        [
            (
                "14:17:20 the launcher that was asked to start is too late: the launch is "
                "offered again"
            ),
            "14:18:20 launch clock: flagged launch_slow",
            "14:23:20 launch clock: the lease is revoked, launch 2 of 3 follows",
        ],
        id="delegated",
    ),
    pytest.param(
        the_third_launch,
        (
            "launching since 14:13 (4 s), launch 3 of 3; "
            "launcher-a holds it and has not begun to create a sandbox; "
            "if it has not started by 14:23, it fails with launch_timeout"
        ),
        "launcher-a to create a sandbox",
        [
            "14:14:57 lease of launcher-a: the launch is offered again, unless renewed",
            "14:18:57 launch clock: flagged launch_slow",
            "14:23:57 launch clock: the lease is revoked, failed (launch_timeout)",
        ],
        id="the third launch",
    ),
    pytest.param(
        the_third_launch_with_an_attempt_left,
        (
            "launching since 14:13 (4 s), launch 3 of 3; "
            "launcher-a is creating slipgate-0v00e008000000000007-1 at local@here; "
            "if it has not started by 14:23, attempt 2 of 2 follows"
        ),
        "local@here to create the sandbox",
        [
            "14:14:57 lease of launcher-a: the launch is offered again, unless renewed",
            "14:18:57 launch clock: flagged launch_slow",
            "14:23:57 launch clock: the lease is revoked, attempt 2 of 2 follows",
        ],
        id="the third launch with an attempt left",
    ),
]


@pytest.mark.parametrize(("scene", "summary", "waiting_for", "following"), TABLE)
def test_launching_is_explained(
    scene: Scene, summary: str, waiting_for: str | None, following: list[str]
) -> None:
    assert told(scene) == (summary, waiting_for, following)
