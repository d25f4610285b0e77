"""The evidence of an explanation: the source of each line, and its limits."""

from typing import Final

import pytest
from msgspec.structs import replace

from gateway.domain.explain import explain
from gateway.domain.explain.explanation import NEWEST, ExplainInput
from gateway.domain.explain.next_steps import CONSEQUENCES
from gateway.domain.kernel import commands as c
from gateway.domain.tasks.task import CLOCK_NAMES, Clocks
from tests.domain.explain.scenes import (
    SANDBOX,
    Scene,
    call,
    cancelled,
    claimed,
    destroyed,
    failed,
    gave_up,
    now,
    pending_delivery,
    tried,
    working,
)
from tests.domain.world import TASK, World

JOB: Final = f"job job_{TASK.removeprefix('task_')}-1"
LAUNCHER: Final = "launcher launcher-a called 14:13:20, serves local@here, room for 1"
OTHER: Final = "task_01m3250t00e008000000000001"


def waiting_for_its_key() -> ExplainInput:
    world = World(concurrencyKey="acme/widgets")
    return now(world, launchers=(call(world),), key_holders=(OTHER,))


def after_a_failed_launch() -> ExplainInput:
    world = World()
    job = claimed(world)
    tried(world, job, number=2, note="daytona-api answered 503")
    failed(world, job, "provider_unavailable", "HTTP 503")
    return now(world)


def silent() -> ExplainInput:
    world = working()
    world.emit("task.usage", turns=7, costUsd=0.25)
    world.emit("task.log", chunk="x", offset=0)
    world.pass_seconds(301)
    return now(world)


def delegated() -> ExplainInput:
    world = World()
    job = claimed(world)
    until = world.now + 240_000
    world.do(c.DelegateJob(job_id=job.id, lease_token=job.token, until=until, note="run 7"))
    return now(world)


def ended_with_a_late_word() -> ExplainInput:
    world = working()
    gave_up(world, "max_turns", "the agent was not done after 60 turns")
    destroyed(world)
    world.refuses(world.word("task.progress", stage="agent", message="turn 61"))
    parked = pending_delivery(9, attempts=4, next_attempt_at=world.now + 60_000, reason="HTTP 500")
    return now(world, deliveries=(parked,))


def cancelled_in_the_queue() -> ExplainInput:
    world = World()
    cancelled(world)
    return now(world)


def waiting_for_a_second_destroy() -> ExplainInput:
    world = working()
    world.emit("task.completed", prUrl="https://github.com/acme/widgets/pull/1")
    (job,) = world.claim("launcher-a", capacity=0)
    failed(world, job, "provider_unavailable", "HTTP 500")
    return now(world)


TABLE: Final = [
    (
        waiting_for_its_key,
        [
            "launcher launcher-a called 14:13:15, serves local@here, room for 4",
            f"task {OTHER} holds concurrency key acme/widgets",
            "event 1 task.created 14:13:20: Health",
        ],
    ),
    (
        after_a_failed_launch,
        [
            f"attempt 1: launched 1 time, at local@here, sandbox {SANDBOX} creating",
            LAUNCHER,
            "event 1 task.created 14:13:20: Health",
            "event 2 task.launching 14:13:20: launch 1 by launcher-a",
            (
                f"event 3 sandbox.trying 14:13:20: try 2, {SANDBOX} creating at local: "
                "daytona-api answered 503"
            ),
            "event 4 task.retried 14:13:20: attempt 1, launch 2: provider_unavailable: HTTP 503",
        ],
    ),
    (
        silent,
        [
            (
                f"attempt 1: launched 1 time, at local@here, sandbox {SANDBOX} (sb-1) started, "
                "first event 14:13:25"
            ),
            f"{JOB}-inspect offered, held by nobody",
            "flag silent since 14:18:31: no event for 300 s",
            LAUNCHER,
            f"event 5 task.launched 14:13:20: {SANDBOX} started at local",
            "event 6 task.started 14:13:25",
            "event 7 task.progress 14:13:30: agent: turn 7 of 60",
            "event 8 task.usage 14:13:30: 7 turns, 0.25 USD",
            "event 9 task.log 14:13:30",
            "event 10 task.stalled 14:18:31: silent: no event for 300 s",
        ],
    ),
    (
        delegated,
        [
            "attempt 1: launched 1 time",
            f"{JOB}-create delegated by launcher-a until 14:17:20",
            LAUNCHER,
            "event 1 task.created 14:13:20: Health",
            "event 2 task.launching 14:13:20: launch 1 by launcher-a",
        ],
    ),
    (
        ended_with_a_late_word,
        [
            (
                f"attempt 1: launched 1 time, at local@here, sandbox {SANDBOX} (sb-1) destroyed, "
                "first event 14:13:25, sandbox gone 14:13:30, 1 late event refused"
            ),
            "webhook of event 9 to ep_1: parked, 4 tries, last HTTP 500, next 14:14:30",
            "event 6 task.started 14:13:25",
            "event 7 task.progress 14:13:30: agent: turn 7 of 60",
            "event 8 task.failed 14:13:30: max_turns: the agent was not done after 60 turns",
            f"event 9 sandbox.state 14:13:30: {SANDBOX} destroying at local",
            f"event 10 sandbox.destroyed 14:13:30: {SANDBOX} destroyed at local",
            "event 11 task.progress 14:13:30 refused (attempt_finished): agent: turn 61",
        ],
    ),
    (
        cancelled_in_the_queue,
        [
            "event 1 task.created 14:13:20: Health",
            "event 2 task.cancel_requested 14:13:20",
            "event 3 task.cancelled 14:13:20",
        ],
    ),
    (
        waiting_for_a_second_destroy,
        [
            (
                f"attempt 1: launched 1 time, at local@here, sandbox {SANDBOX} (sb-1) destroying, "
                "first event 14:13:25"
            ),
            (
                f"{JOB}-destroy offered from 14:13:35 on, "
                "last failed with provider_unavailable: HTTP 500"
            ),
            "launcher launcher-a called 14:13:30, serves local@here, room for 0",
        ],
    ),
]


@pytest.mark.parametrize(("scene", "lines"), TABLE, ids=[scene.__name__ for scene, _ in TABLE])
def test_each_line_names_its_source(scene: Scene, lines: list[str]) -> None:
    assert list(explain(scene()).evidence[: len(lines)]) == lines


def test_evidence_is_bounded_however_long_the_history() -> None:
    world = working()
    for turn in range(200):
        world.emit("task.progress", stage="agent", message=f"turn {turn} of 200" + "x" * 1_900)
    deliveries = tuple(pending_delivery(number) for number in range(150))
    launchers = tuple(call(world, f"launcher-{number}") for number in range(150))
    given = now(world, deliveries=deliveries, launchers=launchers)
    assert len(given.events) == NEWEST
    told = explain(given)
    assert len(told.evidence) < 20
    assert len(told.summary) < 500
    assert all(len(line) < 400 for line in told.evidence)


def test_every_clock_has_its_consequence() -> None:
    assert CONSEQUENCES.keys() == set(CLOCK_NAMES)


@pytest.mark.parametrize("name", CLOCK_NAMES)
def test_what_follows_is_sorted_by_its_moment(name: str) -> None:
    given = silent()
    clocks = replace(Clocks(run=given.now + 60_000), **{name: given.now + 30_000})
    steps = explain(replace(given, task=replace(given.task, clocks=clocks))).next
    assert given.now + 30_000 in [step.at for step in steps]
    assert [step.at for step in steps] == sorted(step.at for step in steps)
