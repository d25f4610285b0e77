"""Why a task ended, what it left behind, and what can still be done."""

from typing import Any, Final

import pytest
from msgspec.structs import replace

from gateway.domain.explain import explain
from gateway.domain.explain.explanation import ExplainInput
from gateway.wire.launcher import Process
from tests.domain.explain.scenes import (
    Scene,
    call,
    cancelled,
    claimed,
    destroyed,
    failed,
    gave_up,
    looked,
    now,
    pending_delivery,
    retried,
    told,
    working,
)
from tests.domain.world import World

PULL_REQUEST: Final = "https://github.com/acme/widgets/pull/1"
KEY_REFUSED: Final = "the model's provider answered 401: Incorrect API key provided."


def completed_a_moment_ago() -> ExplainInput:
    world = working()
    world.pass_seconds(200)
    world.emit("task.completed", prUrl=PULL_REQUEST, summary="Added the endpoint.")
    world.pass_seconds(3)
    return now(world, launchers=(call(world),))


def completed_and_cleaned_up() -> ExplainInput:
    return now(_completed())


def completed_without_a_pull_request() -> ExplainInput:
    world = working()
    world.emit("task.completed", summary="Added the endpoint.")
    destroyed(world)
    world.pass_seconds(7_000)
    return now(world)


def completed_and_its_sandbox_kept() -> ExplainInput:
    world = working(keepSandbox=True)
    world.emit("task.completed", prUrl=PULL_REQUEST)
    world.pass_seconds(7_000)
    return now(world)


def completed_and_its_sandbox_unconfirmed() -> ExplainInput:
    world = working()
    world.emit("task.completed", prUrl=PULL_REQUEST)
    world.pass_seconds(130)
    (job,) = world.claim("launcher-a", capacity=0)
    failed(world, job, "provider_unavailable", "HTTP 500")
    return now(world)


def needs_review() -> ExplainInput:
    world = working()
    world.emit("task.needs_review", prUrl=PULL_REQUEST, summary="`make test` failed.")
    destroyed(world)
    world.pass_seconds(70)
    return now(world)


def needs_review_after_the_agent_exited() -> ExplainInput:
    world = working()
    world.emit("task.pr_created", prUrl=PULL_REQUEST)
    world.pass_seconds(301)
    looked(world, process=Process(state="exited", exit_code=137))
    destroyed(world)
    world.pass_seconds(20)
    return now(world)


def failed_and_can_be_retried() -> ExplainInput:
    return now(_failed("model_auth", KEY_REFUSED), has_env=True)


def failed_and_its_env_is_erased() -> ExplainInput:
    world = _failed("model_auth", KEY_REFUSED)
    world.pass_seconds(25 * 3_600)
    return now(world, is_env_erased=True)


def failed_for_a_reason_nobody_knows() -> ExplainInput:
    return now(_failed("flux_capacitor", "out of\nplutonium \x1b[31m"))


def failed_before_there_was_a_sandbox() -> ExplainInput:
    world = World()
    failed(world, claimed(world), "snapshot_not_found", "No agent-1.", retryable=False)
    world.pass_seconds(70)
    return now(world)


def timed_out() -> ExplainInput:
    world = working(timeouts={"runSeconds": 250})
    world.pass_seconds(251)
    world.pass_seconds(61)
    destroyed(world)
    world.pass_seconds(10)
    return now(world)


def was_cancelled_in_the_queue() -> ExplainInput:
    world = World()
    world.pass_seconds(10)
    cancelled(world)
    world.pass_seconds(100)
    return now(world)


def expired() -> ExplainInput:
    world = World()
    world.pass_seconds(901)
    world.pass_seconds(100)
    return now(world)


def cancelled_while_an_older_sandbox_stands() -> ExplainInput:
    world = _failed("internal", "KeyError", is_clean=False)
    retried(world)
    cancelled(world)
    world.pass_seconds(5)
    return now(world)


def webhooks_are_under_way() -> ExplainInput:
    world = _completed()
    parked = pending_delivery(
        7, attempts=4, next_attempt_at=world.now + 1_000_000, reason="HTTP 500"
    )
    failing = pending_delivery(
        8, attempts=1, next_attempt_at=world.now + 100_000, reason="HTTP 502"
    )
    return now(world, deliveries=(parked, failing, pending_delivery(10, next_attempt_at=world.now)))


def a_webhook_is_parked() -> ExplainInput:
    world = _completed()
    parked = pending_delivery(
        7, attempts=4, next_attempt_at=world.now + 7_000_000, reason="HTTP 500"
    )
    return now(world, deliveries=(parked,))


def webhooks_are_dead_or_held() -> ExplainInput:
    dead = pending_delivery(7, attempts=10, status="dead", reason="url")
    held = (pending_delivery(8, status="held"), pending_delivery(9, status="held"))
    return replace(now(_completed()), deliveries=(dead, *held))


def _completed() -> World:
    world = working()
    world.emit("task.completed", prUrl=PULL_REQUEST)
    destroyed(world)
    world.pass_seconds(70)
    return world


def _failed(code: str, message: str, *, is_clean: bool = True) -> World:
    world = working()
    gave_up(world, code, message)
    if is_clean:
        destroyed(world)
    world.pass_seconds(70)
    return world


TABLE: Final = [
    pytest.param(
        completed_a_moment_ago,
        (
            "completed at 14:16 (3 s ago) after 3 min; "
            "“Added the endpoint”; "
            "its pull request is https://github.com/acme/widgets/pull/1; "
            "launcher-a is asked to destroy its sandbox and has not begun"
        ),
        "the sandbox of attempt 1 to be gone",
        [
            "14:18:50 clean-up clock: flagged sandbox_unconfirmed, unless the sandbox is gone",
        ],
        id="completed a moment ago",
    ),
    pytest.param(
        completed_and_cleaned_up,
        (
            "completed at 14:13 (1 min ago) after 10 s; "
            "its pull request is https://github.com/acme/widgets/pull/1; "
            "its sandbox is gone"
        ),
        None,
        [],
        id="completed and cleaned up",
    ),
    pytest.param(
        completed_without_a_pull_request,
        (
            "completed at 14:13 (1 h 56 min ago) after 10 s; "
            "“Added the endpoint”; "
            "there is no pull request, its branch is slipgate/health; "
            "its sandbox is gone"
        ),
        None,
        [],
        id="completed without a pull request",
    ),
    pytest.param(
        completed_and_its_sandbox_kept,
        (
            "completed at 14:13 (1 h 56 min ago) after 10 s; "
            "its pull request is https://github.com/acme/widgets/pull/1; "
            "its sandbox is kept for debugging until 2026-09-22 14:13"
        ),
        None,
        [
            "14:13:30 the sandbox kept for debugging is destroyed",
            "14:15:30 clean-up clock: flagged sandbox_unconfirmed, unless the sandbox is gone",
        ],
        id="completed and its sandbox kept",
    ),
    pytest.param(
        completed_and_its_sandbox_unconfirmed,
        (
            "completed at 14:13 (2 min ago) after 10 s; "
            "its pull request is https://github.com/acme/widgets/pull/1; "
            "1 try to destroy its sandbox did not confirm its end, the next is at 14:15 (in 5 "
            "s); "
            "its end is unconfirmed since 14:15 (0 s); "
            "if you know that it is gone, say so by `slipgate tasks release "
            "task_01m3250v00e008000000000007 --attempt 1 --reason TEXT`"
        ),
        "the sandbox of attempt 1 to be gone",
        ["14:15:45 the destroy of the sandbox of attempt 1 is offered again, after 1 try"],
        id="completed and its sandbox unconfirmed",
    ),
    pytest.param(
        needs_review,
        (
            "needs review since 14:13 (1 min) after 10 s; "
            "“`make test` failed”; "
            "its pull request is https://github.com/acme/widgets/pull/1; "
            "next: review it, then merge it, or ask for more by --continue-of; "
            "its sandbox is gone; "
            "it can be retried"
        ),
        None,
        [],
        id="needs review",
    ),
    pytest.param(
        needs_review_after_the_agent_exited,
        (
            "needs review since 14:18 (20 s) after 5 min; "
            "agent_exited in sandbox: the agent exited with exit code 137 without a final event; "
            "what helps: read the end of its log (out of memory is one reason to exit); "
            "its pull request is https://github.com/acme/widgets/pull/1; "
            "next: review it, then merge it, or ask for more by --continue-of; "
            "its sandbox is gone; "
            "it can be retried"
        ),
        None,
        [],
        id="needs review after the agent exited",
    ),
    pytest.param(
        failed_and_can_be_retried,
        (
            "failed at 14:13 (1 min ago) after 10 s; "
            "model_auth in agent: the model's provider answered 401: Incorrect API key provided; "
            "what helps: give the launcher, or the task's env, a working key of the model's "
            "provider; "
            "its sandbox is gone; "
            "it can be retried until 2026-09-22 14:13"
        ),
        None,
        [
            "14:13:30 its env is erased: it cannot be retried any more",
        ],
        id="failed and can be retried",
    ),
    pytest.param(
        failed_and_its_env_is_erased,
        (
            "failed at 2026-09-21 14:13 (25 h 1 min ago) after 10 s; "
            "model_auth in agent: the model's provider answered 401: Incorrect API key provided; "
            "what helps: give the launcher, or the task's env, a working key of the model's "
            "provider; "
            "its sandbox is gone; "
            "its env is erased, so it cannot be retried: create it anew"
        ),
        None,
        [],
        id="failed and its env is erased",
    ),
    pytest.param(
        failed_for_a_reason_nobody_knows,
        (
            "failed at 14:13 (1 min ago) after 10 s; "
            "flux_capacitor in agent: out of plutonium [31m; "
            "what helps: read the end of its log; "
            "its sandbox is gone; "
            "it can be retried"
        ),
        None,
        [],
        id="failed for a reason nobody knows",
    ),
    pytest.param(
        failed_before_there_was_a_sandbox,
        (
            "failed at 14:13 (1 min ago); "
            "snapshot_not_found in launch: no agent-1; "
            "what helps: build and push the snapshot, or name one that exists; "
            "no sandbox was ever made; "
            "it can be retried"
        ),
        None,
        [],
        id="failed before there was a sandbox",
    ),
    pytest.param(
        timed_out,
        (
            "timed out at 14:18 (10 s ago) after 5 min; "
            "run_timeout in agent: it ran longer than 250 s; "
            "what helps: ask for less at a time, or give it a longer timeouts.runSeconds; "
            "its sandbox is gone; "
            "it can be retried"
        ),
        None,
        [],
        id="timed out",
    ),
    pytest.param(
        was_cancelled_in_the_queue,
        (
            "cancelled at 14:13 (1 min ago); requested at 14:13; no sandbox was ever made; "
            "it can be retried"
        ),
        None,
        [],
        id="was cancelled in the queue",
    ),
    pytest.param(
        expired,
        (
            "expired at 14:28 (1 min ago); "
            "no launcher took it within 900 s; "
            "what helps: start a launcher that can take it, or give it a longer "
            "timeouts.queueSeconds; "
            "no sandbox was ever made; "
            "it can be retried"
        ),
        None,
        [],
        id="expired",
    ),
    pytest.param(
        cancelled_while_an_older_sandbox_stands,
        (
            "cancelled (attempt 2) at 14:14 (5 s ago); "
            "requested at 14:14; "
            "the sandbox of attempt 1 waits to be destroyed, and no launcher of local@here is "
            "live; "
            "it can be retried"
        ),
        "a launcher of local@here to destroy the sandbox of attempt 1",
        [
            "14:15:30 clean-up clock: flagged sandbox_unconfirmed, unless the sandbox is gone",
        ],
        id="cancelled while an older sandbox stands",
    ),
    pytest.param(
        webhooks_are_under_way,
        (
            "completed at 14:13 (1 min ago) after 10 s; "
            "its pull request is https://github.com/acme/widgets/pull/1; "
            "its sandbox is gone; "
            "2 webhooks are owed, 1 of them parked, the last try failed (HTTP 502) and the next "
            "is at 14:16 (in 1 min); "
            "1 webhook is on the way"
        ),
        "its receiver to take 3 webhooks",
        [
            "14:16:20 webhook: event 8 is sent again (try 2)",
        ],
        id="webhooks are under way",
    ),
    pytest.param(
        a_webhook_is_parked,
        (
            "completed at 14:13 (1 min ago) after 10 s; "
            "its pull request is https://github.com/acme/widgets/pull/1; "
            "its sandbox is gone; "
            "1 webhook is owed, parked, the last try failed (HTTP 500) and the next is at 16:11 "
            "(in 1 h 56 min)"
        ),
        "its receiver to take 1 webhook",
        [
            "16:11:20 webhook: event 7 is sent again (try 5)",
        ],
        id="a webhook is parked",
    ),
    pytest.param(
        webhooks_are_dead_or_held,
        (
            "completed at 14:13 (1 min ago) after 10 s; "
            "its pull request is https://github.com/acme/widgets/pull/1; "
            "its sandbox is gone; "
            "1 webhook is dead after 10 tries (url); "
            "to mend url: its address is none: correct the url of the endpoint, or callbackUrl; "
            "2 webhooks are held, for the endpoint is disabled"
        ),
        "somebody to enable its endpoint again",
        [],
        id="webhooks are dead or held",
    ),
]


@pytest.mark.parametrize(("scene", "summary", "waiting_for", "following"), TABLE)
def test_ended_is_explained(
    scene: Scene, summary: str, waiting_for: str | None, following: list[str]
) -> None:
    assert told(scene) == (summary, waiting_for, following)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (
            {"commitSha": "a" * 40},
            "its branch is slipgate/health; next: review its branch and open a pull request",
        ),
        (
            {"patch": "diff --git a/a b/a\n"},
            "it pushed no branch; next: review its changes by `slipgate tasks patch task_",
        ),
        ({}, "it pushed no branch; next: read by `slipgate tasks logs task_"),
    ],
    ids=["a branch", "a patch", "nothing"],
)
def test_a_review_names_what_there_is_and_the_next_step(end: dict[str, Any], told: str) -> None:
    world = working()
    world.emit("task.needs_review", summary="Look at it.", **end)
    destroyed(world)
    assert told in explain(now(world)).summary
