"""Explanations of a running task and its problems."""

from typing import Final

import pytest
from msgspec.structs import replace

from gateway.domain.explain.explanation import ExplainInput
from tests.domain.explain.scenes import (
    Scene,
    destroyed,
    flagged,
    gave_up,
    launched,
    looked,
    now,
    pending_delivery,
    spooled,
    told,
    working,
)
from tests.domain.world import World

PULL_REQUEST: Final = "https://github.com/acme/widgets/pull/1"


def no_word_yet() -> ExplainInput:
    world = World()
    launched(world)
    world.pass_seconds(20)
    return now(world)


def at_work() -> ExplainInput:
    world = working()
    world.pass_seconds(8)
    return now(world)


def at_work_in_its_second_attempt() -> ExplainInput:
    world = working(maxAttempts=3)
    gave_up(world, "model_rate_limited", "429: slow down", retryable=True)
    destroyed(world)
    world.launch()
    world.pass_seconds(5)
    world.emit("task.progress", attempt=2, stage="clone")
    return now(world)


def with_a_pull_request() -> ExplainInput:
    world = working()
    world.emit("task.pr_created", prUrl=PULL_REQUEST)
    world.pass_seconds(8)
    return now(world)


def silent() -> ExplainInput:
    return now(_silent())


def silent_and_being_inspected() -> ExplainInput:
    world = working()
    world.pass_seconds(301)
    world.claim("launcher-a", capacity=0)
    world.pass_seconds(9)
    return now(world)


def silent_and_about_to_fail() -> ExplainInput:
    return now(_silent(onStall="fail"))


def silent_and_about_to_be_retried() -> ExplainInput:
    return now(_silent(onStall="retry", maxAttempts=2))


def silent_after_its_pull_request() -> ExplainInput:
    world = working()
    world.emit("task.pr_created", prUrl=PULL_REQUEST)
    world.pass_seconds(301)
    looked(world)
    return now(world)


def silent_from_the_beginning() -> ExplainInput:
    world = World()
    launched(world)
    world.pass_seconds(301)
    looked(world)
    world.pass_seconds(5)
    return now(world)


def unreachable_and_silent() -> ExplainInput:
    world = working()
    world.pass_seconds(301)
    for turn in (9, 10, 11):
        spooled(world, turn)
    world.pass_seconds(301)
    world.pass_seconds(59)
    return now(world)


def unreachable_for_long() -> ExplainInput:
    world = working()
    for turn in range(30):
        spooled(world, turn)
    world.pass_seconds(20)
    return now(world)


def without_progress() -> ExplainInput:
    world = working()
    for _ in range(10):
        world.pass_seconds(100)
        world.emit("task.heartbeat")
    return now(world)


def its_sandbox_was_not_found() -> ExplainInput:
    world = working()
    world.pass_seconds(301)
    looked(world, "gone")
    world.pass_seconds(5)
    return now(world)


def its_realm_is_deserted() -> ExplainInput:
    return flagged(silent(), "realm_missing", ago=180)


def from_another_snapshot() -> ExplainInput:
    detail = "it came up from agent-0, not from agent-1"
    return flagged(at_work(), "wrong_snapshot", ago=5, detail=detail)


def only_spooling() -> ExplainInput:
    world = working()
    world.view.policy = replace(world.view.policy, spool_only=True)
    world.pass_seconds(8)
    return now(world)


def its_time_is_over() -> ExplainInput:
    world = working(timeouts={"runSeconds": 600})
    for _ in range(3):
        world.pass_seconds(200)
        world.emit("task.heartbeat")
    return now(world)


def its_receiver_fails() -> ExplainInput:
    given = at_work()
    again = given.now + 280_000
    failing = pending_delivery(3, attempts=2, next_attempt_at=again, reason="HTTP 500")
    return replace(given, deliveries=(failing, pending_delivery(4, next_attempt_at=again)))


def _silent(**spec: object) -> World:
    world = working(**spec)
    world.pass_seconds(301)
    looked(world)
    world.pass_seconds(59)
    return world


TABLE: Final = [
    pytest.param(
        no_word_yet,
        ("running since 14:13 (20 s), its agent has sent no event yet; at 15:13 it times out"),
        "its agent's first event",
        [
            (
                "14:18:20 heartbeat clock: flagged silent and its sandbox inspected, unless its "
                "agent speaks"
            ),
            "14:28:20 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="no word yet",
    ),
    pytest.param(
        at_work,
        (
            "running since 14:13 (18 s), last event 8 s ago; "
            "its agent is in stage agent: “turn 7 of 60”; "
            "at 15:13 it times out"
        ),
        "its agent to finish",
        [
            (
                "14:18:30 heartbeat clock: flagged silent and its sandbox inspected, unless its "
                "agent speaks"
            ),
            "14:28:30 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="at work",
    ),
    pytest.param(
        at_work_in_its_second_attempt,
        (
            "running (attempt 2 of 3) since 14:13 (5 s), last event 0 s ago; "
            "its agent is in stage clone; "
            "at 15:13 it times out"
        ),
        "its agent to finish",
        [
            (
                "14:18:35 heartbeat clock: flagged silent and its sandbox inspected, unless its "
                "agent speaks"
            ),
            "14:28:35 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:30 run clock: inspected, then timed_out",
        ],
        id="at work in its second attempt",
    ),
    pytest.param(
        with_a_pull_request,
        (
            "running since 14:13 (18 s), last event 8 s ago; "
            "its agent is in stage agent: “turn 7 of 60”; "
            "its pull request is https://github.com/acme/widgets/pull/1; "
            "at 15:13 it times out"
        ),
        "its agent to finish",
        [
            (
                "14:18:30 heartbeat clock: flagged silent and its sandbox inspected, unless its "
                "agent speaks"
            ),
            "14:28:30 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="with a pull request",
    ),
    pytest.param(
        silent,
        (
            "running, silent since 14:13 (6 min); "
            "its agent was in stage agent: “turn 7 of 60”; "
            "its sandbox is alive (inspected at 14:18); "
            "at 15:13 it times out"
        ),
        "its agent's next event",
        [
            "14:23:31 heartbeat clock: its sandbox is inspected again, unless its agent speaks",
            "14:28:30 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="silent",
    ),
    pytest.param(
        silent_and_being_inspected,
        (
            "running, silent since 14:13 (5 min); "
            "its agent was in stage agent: “turn 7 of 60”; "
            "its sandbox is alive as far as known, launcher-a is inspecting it; "
            "at 15:13 it times out"
        ),
        "its agent's next event",
        [
            "14:19:31 lease of launcher-a: the inspection is offered again, unless renewed",
            "14:23:31 heartbeat clock: its sandbox is inspected again, unless its agent speaks",
            "14:28:30 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="silent and being inspected",
    ),
    pytest.param(
        silent_and_about_to_fail,
        (
            "running, silent since 14:13 (6 min); "
            "its agent was in stage agent: “turn 7 of 60”; "
            "its sandbox is alive (inspected at 14:18); "
            "at 14:23 it fails with agent_silent, unless its agent speaks; "
            "at 15:13 it times out"
        ),
        "its agent's next event",
        [
            "14:23:31 heartbeat clock: its sandbox is inspected again, unless its agent speaks",
            "14:23:31 heartbeat clock: failed (agent_silent), unless its agent speaks",
            "14:28:30 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="silent and about to fail",
    ),
    pytest.param(
        silent_and_about_to_be_retried,
        (
            "running, silent since 14:13 (6 min); "
            "its agent was in stage agent: “turn 7 of 60”; "
            "its sandbox is alive (inspected at 14:18); "
            "at 14:23 it fails with agent_silent and attempt 2 of 2 follows, unless its agent "
            "speaks; "
            "at 15:13 it times out and attempt 2 of 2 follows"
        ),
        "its agent's next event",
        [
            "14:23:31 heartbeat clock: its sandbox is inspected again, unless its agent speaks",
            "14:23:31 heartbeat clock: attempt 2 of 2 follows, unless its agent speaks",
            "14:28:30 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then attempt 2 of 2 follows",
        ],
        id="silent and about to be retried",
    ),
    pytest.param(
        silent_after_its_pull_request,
        (
            "running, silent since 14:13 (5 min); "
            "its agent was in stage agent: “turn 7 of 60”; "
            "its pull request is https://github.com/acme/widgets/pull/1; "
            "its sandbox is alive (inspected at 14:18); "
            "at 14:23 it needs review for its pull request, unless its agent speaks; "
            "at 15:13 it times out"
        ),
        "its agent's next event",
        [
            "14:23:31 heartbeat clock: its sandbox is inspected again, unless its agent speaks",
            (
                "14:23:31 heartbeat clock: needs_review for its pull request, unless its agent "
                "speaks"
            ),
            "14:28:30 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="silent after its pull request",
    ),
    pytest.param(
        silent_from_the_beginning,
        (
            "running, silent since 14:13 (5 min), its agent has sent no event yet; "
            "its sandbox is alive (inspected at 14:18); "
            "at 15:13 it times out"
        ),
        "its agent's first event",
        [
            "14:23:21 heartbeat clock: its sandbox is inspected again, unless its agent speaks",
            "14:28:20 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="silent from the beginning",
    ),
    pytest.param(
        unreachable_and_silent,
        (
            "running, silent since 14:18 (6 min); "
            "its agent was in stage agent: “turn 11 of 60”; "
            "its sandbox is alive; "
            "its agent cannot reach the gateway; "
            "3 events were read from its spool; "
            "at 15:13 it times out"
        ),
        "its agent to reach the gateway",
        [
            "14:28:32 heartbeat clock: its sandbox is inspected again, unless its agent speaks",
            "14:33:31 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="unreachable and silent",
    ),
    pytest.param(
        unreachable_for_long,
        (
            "running since 14:13 (30 s), last event 20 s ago; "
            "its agent is in stage agent: “turn 29 of 60”; "
            "its sandbox is alive; "
            "its agent cannot reach the gateway; "
            "at least 20 events were read from its spool; "
            "at 15:13 it times out"
        ),
        "its agent to reach the gateway",
        [
            (
                "14:18:30 heartbeat clock: flagged silent and its sandbox inspected, unless its "
                "agent speaks"
            ),
            "14:28:30 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="unreachable for long",
    ),
    pytest.param(
        without_progress,
        (
            "running, without progress since 14:13 (16 min), last event 0 s ago; "
            "its agent is in stage agent: “turn 7 of 60”; "
            "its sandbox is alive as far as known; "
            "at 15:13 it times out"
        ),
        "its agent to get on",
        [
            (
                "14:35:10 heartbeat clock: flagged silent and its sandbox inspected, unless its "
                "agent speaks"
            ),
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="without progress",
    ),
    pytest.param(
        its_sandbox_was_not_found,
        (
            "running, silent since 14:13 (5 min); "
            "its agent was in stage agent: “turn 7 of 60”; "
            "its sandbox was not found at 14:18 (5 s ago), and a second inspection decides; "
            "at 15:13 it times out"
        ),
        "a second inspection of its sandbox",
        [
            "14:18:46 second inspection: if the sandbox is missing again, it ends (sandbox_gone)",
            "14:23:31 heartbeat clock: its sandbox is inspected again, unless its agent speaks",
            "14:28:30 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="its sandbox was not found",
    ),
    pytest.param(
        its_realm_is_deserted,
        (
            "running, silent since 14:13 (6 min); "
            "its agent was in stage agent: “turn 7 of 60”; "
            "its sandbox is alive (inspected at 14:18); "
            "no launcher of local@here is live since 14:16 (3 min), so nobody can inspect its "
            "sandbox or destroy it; "
            "at 15:13 it times out"
        ),
        "a launcher of local@here",
        [
            "14:23:31 heartbeat clock: its sandbox is inspected again, unless its agent speaks",
            "14:28:30 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="its realm is deserted",
    ),
    pytest.param(
        from_another_snapshot,
        (
            "running since 14:13 (18 s), last event 8 s ago; "
            "its agent is in stage agent: “turn 7 of 60”; "
            "its sandbox is not what was asked for: it came up from agent-0, not from agent-1; "
            "at 15:13 it times out"
        ),
        "its agent to finish",
        [
            (
                "14:18:30 heartbeat clock: flagged silent and its sandbox inspected, unless its "
                "agent speaks"
            ),
            "14:28:30 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="from another snapshot",
    ),
    pytest.param(
        only_spooling,
        (
            "running since 14:13 (18 s), last event 8 s ago; "
            "its agent is in stage agent: “turn 7 of 60”; "
            "its events are read from its spool, for the gateway has no public address; "
            "at 15:13 it times out"
        ),
        "its agent to finish",
        [
            (
                "14:18:30 heartbeat clock: flagged silent and its sandbox inspected, unless its "
                "agent speaks"
            ),
            "14:28:30 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="only spooling",
    ),
    pytest.param(
        its_time_is_over,
        (
            "running since 14:13 (10 min), last event 0 s ago; "
            "its agent is in stage agent: “turn 7 of 60”; "
            "its time is over: it is inspected a last time and times out at 14:24"
        ),
        "the last inspection of its sandbox",
        [
            "14:24:30 run clock: timed_out, inspected or not",
        ],
        id="its time is over",
    ),
    pytest.param(
        its_receiver_fails,
        (
            "running since 14:13 (18 s), last event 8 s ago; "
            "its agent is in stage agent: “turn 7 of 60”; "
            "at 15:13 it times out; "
            "1 webhook is owed, the last try failed (HTTP 500) and the next is at 14:18 (in 4 "
            "min)"
        ),
        "its agent to finish",
        [
            "14:18:18 webhook: event 3 is sent again (try 3)",
            (
                "14:18:30 heartbeat clock: flagged silent and its sandbox inspected, unless its "
                "agent speaks"
            ),
            "14:28:30 progress clock: flagged no_progress, unless its agent gets on",
            "15:13:20 run clock: inspected, then timed_out",
        ],
        id="its receiver fails",
    ),
]


@pytest.mark.parametrize(("scene", "summary", "waiting_for", "following"), TABLE)
def test_running_is_explained(
    scene: Scene, summary: str, waiting_for: str | None, following: list[str]
) -> None:
    assert told(scene) == (summary, waiting_for, following)
