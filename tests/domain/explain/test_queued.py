"""Why a queued task is not launched yet."""

from typing import Final

import pytest
from msgspec.structs import replace

from gateway.domain.explain.explanation import ExplainInput
from tests.domain.explain.scenes import (
    Scene,
    call,
    cancelled,
    claimed,
    destroyed,
    failed,
    gave_up,
    now,
    retried,
    told,
    tried,
    working,
)
from tests.domain.world import World

HOUR: Final = 3_600_000
OTHER: Final = "task_01m3250t00e008000000000001"
THIRD: Final = "task_01m3250t00e008000000000002"


def launchers_with_capacity() -> ExplainInput:
    world = World()
    world.pass_seconds(2)
    return now(world, launchers=(call(world), call(world, "launcher-b", capacity=1)))


def launchers_are_full() -> ExplainInput:
    world = World()
    world.pass_seconds(90)
    return now(world, launchers=(call(world, capacity=0),))


def no_launcher_has_ever_called() -> ExplainInput:
    world = World()
    world.pass_seconds(90)
    return now(world)


def the_launcher_has_died() -> ExplainInput:
    world = World()
    world.pass_seconds(400)
    return now(world, launchers=(call(world, ago=1_800),))


def the_gateway_has_just_started() -> ExplainInput:
    given = the_launcher_has_died()
    policy = replace(given.policy, started_at=given.now - 20_000)
    return replace(given, policy=policy)


def nobody_serves_its_provider() -> ExplainInput:
    world = World(provider="docker")
    world.pass_seconds(400)
    return now(world, launchers=(call(world),))


def its_concurrency_key_is_taken() -> ExplainInput:
    world = World(concurrencyKey="acme/widgets")
    world.pass_seconds(400)
    return now(world, launchers=(call(world),), key_holders=(OTHER,))


def its_concurrency_key_admits_two() -> ExplainInput:
    world = World(concurrencyKey="acme/widgets")
    world.view.policy = replace(world.view.policy, concurrency_per_key=2)
    return now(world, launchers=(call(world),), key_holders=(OTHER, THIRD))


def its_concurrency_key_is_free() -> ExplainInput:
    world = World(concurrencyKey="acme/widgets")
    world.view.policy = replace(world.view.policy, concurrency_per_key=2)
    return now(world, launchers=(call(world),), key_holders=(OTHER,))


def not_before_today() -> ExplainInput:
    world = World(notBefore=1_790_000_000_000 + 3 * HOUR)
    return now(world, launchers=(call(world),))


def not_before_tomorrow() -> ExplainInput:
    world = World(notBefore=1_790_000_000_000 + 13 * HOUR)
    return now(world, launchers=(call(world),))


def the_first_launch_failed() -> ExplainInput:
    world = World()
    job = claimed(world)
    tried(world, job)
    world.pass_seconds(10)
    failed(world, job, "provider_quota", "Total CPU limit exceeded. Maximum allowed: 10.")
    world.pass_seconds(1)
    return now(world)


def the_second_launch_failed() -> ExplainInput:
    world = World()
    failed(world, claimed(world), "provider_unavailable", "HTTP 503")
    world.pass_seconds(6)
    failed(world, claimed(world), "provider_unavailable", "HTTP 503")
    world.pass_seconds(1)
    return now(world)


def its_realm_has_no_launcher() -> ExplainInput:
    world = World()
    job = claimed(world)
    tried(world, job)
    failed(world, job, "provider_unavailable", "HTTP 503")
    world.pass_seconds(100)
    return now(world, launchers=(call(world, provider="docker"),))


def the_old_sandbox_is_offered_for_destruction() -> ExplainInput:
    world = _given_up()
    return now(world, launchers=(call(world),))


def the_old_sandbox_is_being_destroyed() -> ExplainInput:
    world = _given_up()
    world.claim("launcher-a", capacity=0)
    world.pass_seconds(10)
    return now(world)


def the_old_sandbox_did_not_go() -> ExplainInput:
    world = _given_up()
    (job,) = world.claim("launcher-a", capacity=0)
    failed(world, job, "provider_unavailable", "HTTP 500")
    return now(world)


def the_old_sandbox_is_unconfirmed_and_its_realm_deserted() -> ExplainInput:
    world = _given_up()
    world.pass_seconds(130)
    world.pass_seconds(400)
    return now(world)


def the_next_attempt_may_begin() -> ExplainInput:
    world = _given_up()
    destroyed(world)
    world.pass_seconds(2)
    return now(world, launchers=(call(world),))


def retried_past_its_limit() -> ExplainInput:
    world = World()
    cancelled(world)
    retried(world)
    world.pass_seconds(2)
    return now(world, launchers=(call(world),))


def _given_up() -> World:
    world = working(maxAttempts=3)
    world.pass_seconds(100)
    gave_up(world, "model_rate_limited", "429: slow down", retryable=True)
    return world


TABLE: Final = [
    pytest.param(
        launchers_with_capacity,
        (
            "queued since 14:13 (2 s); "
            "launcher-a, launcher-b can take it, with room for 5 tasks; "
            "at 14:28 it expires"
        ),
        "launcher-a, launcher-b to claim it",
        [
            "14:13:50 flagged no_launcher, unless a launcher has claimed it",
            "14:28:20 queue clock: expired, unless a launcher has claimed it",
        ],
        id="launchers with room",
    ),
    pytest.param(
        launchers_are_full,
        (
            "queued since 14:13 (1 min); "
            "launcher-a can take it but is full; "
            "it waits for room, with priority 5 of 9; "
            "at 14:28 it expires"
        ),
        "room at launcher-a",
        [
            "14:28:20 queue clock: expired, unless a launcher has claimed it",
        ],
        id="launchers are full",
    ),
    pytest.param(
        no_launcher_has_ever_called,
        (
            "queued since 14:13 (1 min); "
            "no launcher is live; "
            "none has ever called; "
            "at 14:28 it expires"
        ),
        "a launcher",
        [
            "14:28:20 queue clock: expired, unless a launcher has claimed it",
        ],
        id="no launcher has ever called",
    ),
    pytest.param(
        the_launcher_has_died,
        (
            "queued since 14:13 (6 min); "
            "no launcher is live; "
            "launcher-a was the last to call, at 13:50 (30 min ago); "
            "at 14:28 it expires"
        ),
        "a launcher",
        [
            "14:28:20 queue clock: expired, unless a launcher has claimed it",
        ],
        id="the launcher has died",
    ),
    pytest.param(
        the_gateway_has_just_started,
        (
            "queued since 14:13 (6 min); "
            "no launcher has called since the gateway started 20 s ago; "
            "launcher-a was the last to call, at 13:50 (30 min ago); "
            "at 14:28 it expires"
        ),
        "a launcher",
        [
            "14:28:20 queue clock: expired, unless a launcher has claimed it",
        ],
        id="the gateway has just started",
    ),
    pytest.param(
        nobody_serves_its_provider,
        (
            "queued since 14:13 (6 min); "
            "no launcher of docker is live; "
            "launcher-a serves local@here; "
            "at 14:28 it expires"
        ),
        "a launcher of docker",
        [
            "14:28:20 queue clock: expired, unless a launcher has claimed it",
        ],
        id="nobody serves its provider",
    ),
    pytest.param(
        its_concurrency_key_is_taken,
        (
            "queued since 14:13 (6 min); "
            "task_01m3250t00e008000000000001 holds its concurrency key acme/widgets, which "
            "admits 1 at a time; "
            "its queue clock stands still until then"
        ),
        "task_01m3250t00e008000000000001 to end",
        [
            (
                "14:28:20 queue clock: moved on, for it stands still while the concurrency key "
                "is taken"
            ),
        ],
        id="its concurrency key is taken",
    ),
    pytest.param(
        its_concurrency_key_admits_two,
        (
            "queued since 14:13 (0 s); "
            "task_01m3250t00e008000000000001, task_01m3250t00e008000000000002 hold its "
            "concurrency key acme/widgets, which admits 2 at a time; "
            "its queue clock stands still until then"
        ),
        "task_01m3250t00e008000000000001, task_01m3250t00e008000000000002 to end",
        [
            "14:13:50 flagged no_launcher, unless a launcher has claimed it",
            (
                "14:28:20 queue clock: moved on, for it stands still while the concurrency key "
                "is taken"
            ),
        ],
        id="its concurrency key admits two",
    ),
    pytest.param(
        its_concurrency_key_is_free,
        (
            "queued since 14:13 (0 s); "
            "launcher-a can take it, with room for 4 tasks; "
            "at 14:28 at the earliest it expires"
        ),
        "launcher-a to claim it",
        [
            "14:13:50 flagged no_launcher, unless a launcher has claimed it",
            (
                "14:28:20 queue clock: expired, unless a launcher has claimed it or its "
                "concurrency key was taken for a while"
            ),
        ],
        id="its concurrency key has room",
    ),
    pytest.param(
        not_before_today,
        "queued, not to begin before 17:13 (in 3 h), as was asked for",
        "its notBefore, 17:13",
        [
            "17:13:20 offered to launchers",
            "17:13:50 flagged no_launcher, unless a launcher has claimed it",
            "17:28:20 queue clock: expired, unless a launcher has claimed it",
        ],
        id="not before today",
    ),
    pytest.param(
        not_before_tomorrow,
        "queued, not to begin before 2026-09-22 03:13 (in 13 h), as was asked for",
        "its notBefore, 2026-09-22 03:13",
        [
            "03:13:20 offered to launchers",
            "03:13:50 flagged no_launcher, unless a launcher has claimed it",
            "03:28:20 queue clock: expired, unless a launcher has claimed it",
        ],
        id="not before tomorrow",
    ),
    pytest.param(
        the_first_launch_failed,
        (
            "queued, launch 1 of 3 failed with provider_quota; "
            "total CPU limit exceeded. Maximum allowed: 10; "
            "launch 2 may begin at 14:13 (in 4 s); "
            "what helps: free sandboxes or raise the quota at the provider"
        ),
        "the pause before launch 2 to end",
        [
            "14:13:35 offered to launchers",
            "14:28:35 queue clock: expired, unless a launcher has claimed it",
        ],
        id="the first launch failed",
    ),
    pytest.param(
        the_second_launch_failed,
        (
            "queued, launch 2 of 3 failed with provider_unavailable; "
            "HTTP 503; "
            "launch 3 may begin at 14:13 (in 29 s); "
            "what helps: look at the provider's status page"
        ),
        "the pause before launch 3 to end",
        [
            "14:13:56 offered to launchers",
            "14:28:55 queue clock: expired, unless a launcher has claimed it",
        ],
        id="the second launch failed",
    ),
    pytest.param(
        its_realm_has_no_launcher,
        (
            "queued since 14:13 (1 min); "
            "no launcher of local@here is live; "
            "launcher-a serves docker@here; "
            "at 14:28 it expires"
        ),
        "a launcher of local@here",
        [
            "14:28:25 queue clock: expired, unless a launcher has claimed it",
        ],
        id="its realm has no launcher",
    ),
    pytest.param(
        the_old_sandbox_is_offered_for_destruction,
        (
            "queued (attempt 2 of 3); "
            "it may begin when the sandbox of attempt 1 is gone; "
            "launcher-a is asked to destroy the sandbox of attempt 1 and has not begun"
        ),
        "the sandbox of attempt 1 to be gone",
        [
            "14:17:10 clean-up clock: flagged sandbox_unconfirmed, unless the sandbox is gone",
        ],
        id="the old sandbox is offered for destruction",
    ),
    pytest.param(
        the_old_sandbox_is_being_destroyed,
        (
            "queued (attempt 2 of 3); "
            "it may begin when the sandbox of attempt 1 is gone; "
            "launcher-a is destroying the sandbox of attempt 1"
        ),
        "the sandbox of attempt 1 to be gone",
        [
            "14:16:10 lease of launcher-a: the destroy is offered again, unless renewed",
            "14:17:10 clean-up clock: flagged sandbox_unconfirmed, unless the sandbox is gone",
        ],
        id="the old sandbox is being destroyed",
    ),
    pytest.param(
        the_old_sandbox_did_not_go,
        (
            "queued (attempt 2 of 3); "
            "it may begin when the sandbox of attempt 1 is gone; "
            "1 try to destroy the sandbox of attempt 1 did not confirm its end, the next is at "
            "14:15 (in 5 s)"
        ),
        "the sandbox of attempt 1 to be gone",
        [
            "14:15:15 the destroy of the sandbox of attempt 1 is offered again, after 1 try",
            "14:17:10 clean-up clock: flagged sandbox_unconfirmed, unless the sandbox is gone",
        ],
        id="the old sandbox did not go",
    ),
    pytest.param(
        the_old_sandbox_is_unconfirmed_and_its_realm_deserted,
        (
            "queued (attempt 2 of 3); "
            "it may begin when the sandbox of attempt 1 is gone; "
            "the sandbox of attempt 1 waits to be destroyed, and no launcher of local@here is "
            "live; "
            "its end is unconfirmed since 14:17 (6 min); "
            "if you know that it is gone, say so by `slipgate tasks release "
            "task_01m3250v00e008000000000007 --attempt 1 --reason TEXT`"
        ),
        "a launcher of local@here to destroy the sandbox of attempt 1",
        [
            (
                "14:26:00 clean-up clock: still flagged sandbox_unconfirmed, unless the sandbox "
                "is gone"
            ),
        ],
        id="the old sandbox is unconfirmed and its realm deserted",
    ),
    pytest.param(
        the_next_attempt_may_begin,
        (
            "queued (attempt 2 of 3) since 14:15 (2 s); "
            "launcher-a can take it, with room for 4 tasks; "
            "at 14:30 it expires"
        ),
        "launcher-a to claim it",
        [
            "14:30:10 queue clock: expired, unless a launcher has claimed it",
        ],
        id="the next attempt may begin",
    ),
    pytest.param(
        retried_past_its_limit,
        (
            "queued (attempt 2) since 14:13 (2 s); "
            "launcher-a can take it, with room for 4 tasks; "
            "at 14:28 it expires"
        ),
        "launcher-a to claim it",
        [
            "14:13:50 flagged no_launcher, unless a launcher has claimed it",
            "14:28:20 queue clock: expired, unless a launcher has claimed it",
        ],
        id="retried past its limit",
    ),
]


@pytest.mark.parametrize(("scene", "summary", "waiting_for", "following"), TABLE)
def test_queued_is_explained(
    scene: Scene, summary: str, waiting_for: str | None, following: list[str]
) -> None:
    assert told(scene) == (summary, waiting_for, following)
