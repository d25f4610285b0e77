"""Explanations of a requested cancel that is not finished."""

from typing import Final

import pytest
from msgspec.structs import replace

from gateway.domain.explain.explanation import ExplainInput
from tests.domain.explain.scenes import (
    Scene,
    cancelled,
    claimed,
    failed,
    now,
    spooled,
    told,
    tried,
    working,
)
from tests.domain.world import World


def the_agent_does_not_know_yet() -> ExplainInput:
    return now(_cancelled())


def the_agent_knows_of_the_cancel() -> ExplainInput:
    world = _cancelled()
    world.emit("task.heartbeat")
    return now(world)


def the_agent_cannot_learn_of_the_cancel() -> ExplainInput:
    world = _cancelled()
    spooled(world, 8)
    return now(world)


def its_sandbox_is_being_destroyed() -> ExplainInput:
    world = _cancelled()
    world.pass_seconds(41)
    world.claim("launcher-a", capacity=0)
    return now(world)


def while_its_sandbox_is_created() -> ExplainInput:
    world = World()
    tried(world, claimed(world))
    cancelled(world)
    world.pass_seconds(5)
    return now(world)


def before_a_sandbox_was_made() -> ExplainInput:
    world = World()
    claimed(world)
    cancelled(world)
    world.pass_seconds(5)
    return now(world)


def between_two_launches() -> ExplainInput:
    world = World()
    job = claimed(world)
    tried(world, job)
    failed(world, job, "provider_unavailable", "HTTP 503")
    cancelled(world)
    world.pass_seconds(2)
    return now(world)


def nothing_is_left_but_the_clock() -> ExplainInput:
    return replace(before_a_sandbox_was_made(), jobs=())


def _cancelled() -> World:
    world = working()
    world.pass_seconds(5)
    cancelled(world)
    world.pass_seconds(20)
    return world


TABLE: Final = [
    pytest.param(
        the_agent_does_not_know_yet,
        (
            "running, cancel requested at 14:13 (20 s ago); "
            "its agent is told in the answer to its next event; "
            "at 14:14 its sandbox is destroyed; "
            "it is cancelled at 14:15 at the latest"
        ),
        "its agent to learn of the cancel",
        [
            "14:14:35 cancel clock: its sandbox is destroyed",
            "14:15:35 cancel clock: cancelled, confirmed or not",
        ],
        id="the agent does not know yet",
    ),
    pytest.param(
        the_agent_knows_of_the_cancel,
        (
            "running, cancel requested at 14:13 (20 s ago); "
            "its agent has been told to stop; "
            "at 14:14 its sandbox is destroyed; "
            "it is cancelled at 14:15 at the latest"
        ),
        "its agent to stop",
        [
            "14:14:35 cancel clock: its sandbox is destroyed",
            "14:15:35 cancel clock: cancelled, confirmed or not",
        ],
        id="the agent has been told",
    ),
    pytest.param(
        the_agent_cannot_learn_of_the_cancel,
        (
            "running, cancel requested at 14:13 (20 s ago); "
            "its agent cannot reach the gateway, so it cannot be told; "
            "at 14:14 its sandbox is destroyed; "
            "it is cancelled at 14:15 at the latest"
        ),
        "the end of its grace, for its agent cannot be told",
        [
            "14:14:35 cancel clock: its sandbox is destroyed",
            "14:15:35 cancel clock: cancelled, confirmed or not",
        ],
        id="the agent cannot be told",
    ),
    pytest.param(
        its_sandbox_is_being_destroyed,
        (
            "running, cancel requested at 14:13 (1 min ago); "
            "its agent is told in the answer to its next event; "
            "launcher-a is destroying its sandbox; "
            "it is cancelled at 14:15 at the latest"
        ),
        "its sandbox to be destroyed",
        [
            "14:15:35 cancel clock: cancelled, confirmed or not",
            "14:15:36 lease of launcher-a: the destroy is offered again, unless renewed",
            "14:16:36 clean-up clock: flagged sandbox_unconfirmed, unless the sandbox is gone",
        ],
        id="its sandbox is being destroyed",
    ),
    pytest.param(
        while_its_sandbox_is_created,
        (
            "launching, cancel requested at 14:13 (5 s ago); "
            "launcher-a is told when it renews its lease; "
            "launcher-a is asked to destroy its sandbox and has not begun; "
            "it is cancelled at 14:15 at the latest"
        ),
        "its sandbox to be destroyed",
        [
            "14:14:20 lease of launcher-a: the launch is offered again, unless renewed",
            "14:15:20 cancel clock: cancelled, confirmed or not",
            "14:15:20 clean-up clock: flagged sandbox_unconfirmed, unless the sandbox is gone",
        ],
        id="while its sandbox is created",
    ),
    pytest.param(
        before_a_sandbox_was_made,
        (
            "launching, cancel requested at 14:13 (5 s ago); "
            "launcher-a is told when it renews its lease; "
            "no sandbox has been made; "
            "it is cancelled at 14:15 at the latest"
        ),
        "its launcher to give up",
        [
            "14:14:20 cancel clock: what was made is destroyed",
            "14:14:20 lease of launcher-a: the launch is offered again, unless renewed",
            "14:15:20 cancel clock: cancelled, confirmed or not",
        ],
        id="before a sandbox was made",
    ),
    pytest.param(
        between_two_launches,
        (
            "queued, cancel requested at 14:13 (2 s ago); "
            "its agent has sent no event; "
            "launcher-a is asked to destroy its sandbox and has not begun; "
            "it is cancelled at 14:15 at the latest"
        ),
        "its sandbox to be destroyed",
        [
            "14:15:20 cancel clock: cancelled, confirmed or not",
            "14:15:20 clean-up clock: flagged sandbox_unconfirmed, unless the sandbox is gone",
        ],
        id="between two launches",
    ),
    pytest.param(
        nothing_is_left_but_the_clock,
        (
            "launching, cancel requested at 14:13 (5 s ago); "
            "its agent has sent no event; "
            "no sandbox has been made; "
            "it is cancelled at 14:15 at the latest"
        ),
        "its launcher to give up",
        [
            "14:14:20 cancel clock: what was made is destroyed",
            "14:15:20 cancel clock: cancelled, confirmed or not",
        ],
        id="nothing is left but the clock",
    ),
]


@pytest.mark.parametrize(("scene", "summary", "waiting_for", "following"), TABLE)
def test_cancelling_is_explained(
    scene: Scene, summary: str, waiting_for: str | None, following: list[str]
) -> None:
    assert told(scene) == (summary, waiting_for, following)
