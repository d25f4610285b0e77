"""Asking before acting on the world, and stopping when told."""

import base64
import json

import pytest

from tests.snapshot.gateway_stub import Event, refusal
from tests.snapshot.http_stub import Response
from tests.snapshot.patience import PATIENCE_SECONDS, is_alive, until
from tests.snapshot.repositories import FIX
from tests.snapshot.sandbox import BRANCH, Sandbox


@pytest.mark.parametrize(
    ("status", "code"),
    [(409, "stale_attempt"), (410, "attempt_finished"), (404, "unknown_task")],
)
def test_nothing_begins_before_the_gateway_agrees(sandbox: Sandbox, status: int, code: str) -> None:
    sandbox.agent_is(f"touch {sandbox.shared}/ran")
    sandbox.gateway.on_step("started", refusal(status, code))
    assert sandbox.run() == 3, sandbox.printed()
    assert not (sandbox.shared / "ran").exists()
    assert not list(sandbox.state.glob("work-*")), "it did not even clone"
    assert sandbox.gateway.events == []


def test_409_at_the_push_pushes_nothing(sandbox: Sandbox) -> None:
    sandbox.agent_is(FIX)
    sandbox.gateway.on_step("progress:push", refusal(409, "stale_attempt"))
    assert sandbox.run() == 3, sandbox.printed()
    assert BRANCH not in sandbox.remote.branches()
    assert sandbox.github.requests == []
    assert sandbox.gateway.last.step == "progress:validate"


def test_410_at_the_pull_request_opens_none(sandbox: Sandbox) -> None:
    sandbox.agent_is(FIX)
    sandbox.gateway.on_step("progress:pr", refusal(410, "attempt_finished"))
    assert sandbox.run() == 3, sandbox.printed()
    assert BRANCH in sandbox.remote.branches()
    assert sandbox.github.requests == []


def test_an_ask_that_is_not_applied_is_no_permission(sandbox: Sandbox) -> None:
    sandbox.agent_is(FIX)
    answer = {"accepted": True, "applied": False, "cancel": False, "deadlineAt": None}
    sandbox.gateway.on_step("progress:push", Response(status=202, content=answer))
    assert sandbox.run() == 3, sandbox.printed()
    assert BRANCH not in sandbox.remote.branches()


def test_a_fenced_attempt_stops_in_the_middle_of_a_command(sandbox: Sandbox) -> None:
    sandbox.agent_is("sleep 600")
    sandbox.gateway.deadline_seconds = 4
    process = sandbox.start()
    sandbox.gateway.wait_for(lambda event: event.step == "progress:agent")
    sandbox.gateway.on_step("heartbeat", refusal(410, "attempt_finished"))
    assert process.wait(PATIENCE_SECONDS) == 3, sandbox.printed()


def test_a_cancel_stops_a_deaf_command_and_its_family_and_is_reported(
    sandbox: Sandbox,
) -> None:
    child = sandbox.shared / "child"
    deaf = f"trap '' TERM; (trap '' TERM; echo $BASHPID > {child}; sleep 600) & sleep 600"
    sandbox.agent_is(deaf)
    sandbox.gateway.deadline_seconds = 4
    process = sandbox.start()
    sandbox.gateway.wait_for(lambda event: event.step == "progress:agent")
    until(lambda: child.exists() and bool(child.read_text()), "the agent's child")
    sandbox.gateway.is_cancelling = True
    assert process.wait(PATIENCE_SECONDS) == 4, sandbox.printed()
    assert sandbox.gateway.last.type == "task.failed"
    error = sandbox.gateway.last.data["error"]
    assert isinstance(error, dict)
    assert (error["code"], error["stage"]) == ("cancelled", "agent")
    assert BRANCH not in sandbox.remote.branches()
    assert not is_alive(child), "the whole family is dead"


def test_a_cancel_arrives_in_the_answer_to_any_event(sandbox: Sandbox) -> None:
    sandbox.agent_is(FIX)
    sandbox.gateway.is_cancelling = True
    assert sandbox.run() == 4, sandbox.printed()
    assert sandbox.gateway.steps == ["started", "failed"]


def test_a_cancel_arrives_while_a_model_thinks(sandbox: Sandbox) -> None:
    def think(turn: int) -> Response:
        sandbox.gateway.is_cancelling = True
        sandbox.gateway.wait_for(lambda event: event.type == "task.failed")
        return Response(status=500)

    sandbox.gateway.deadline_seconds = 4
    sandbox.model.answer = think
    assert sandbox.run() == 4, sandbox.printed()


def test_a_restarting_gateway_is_waited_for(sandbox: Sandbox) -> None:
    go = sandbox.root / "go"
    sandbox.agent_is(f"until [ -e {go} ]; do sleep 0.02; done; {FIX}")
    process = sandbox.start()
    sandbox.gateway.wait_for(lambda event: event.step == "progress:agent")
    sandbox.gateway.http.stop()
    go.touch()
    _wait_until_spooled(sandbox, "push")
    assert BRANCH not in sandbox.remote.branches(), "it must ask before it pushes"
    sandbox.gateway.http.start()
    assert process.wait(PATIENCE_SECONDS) == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.completed"
    spooled = [line["id"] for line in sandbox.spooled()]
    assert [event.id for event in sandbox.gateway.events] == spooled, "all of it, once, in order"


def test_a_gateway_that_is_never_reached_holds_nothing_up_for_ever(sandbox: Sandbox) -> None:
    sandbox.agent_is(FIX)
    sandbox.gateway.http.stop()
    code = sandbox.run(SLIPGATE_ASK_SECONDS="0.3", SLIPGATE_DELIVERY_SECONDS="0.3")
    assert code == 0, sandbox.printed()
    assert _spooled_types(sandbox)[-1] == "task.completed"
    assert BRANCH in sandbox.remote.branches()
    assert not (sandbox.state / "spool.acknowledged").exists()


def test_without_a_public_url_it_only_spools(sandbox: Sandbox) -> None:
    sandbox.agent_is(FIX)
    assert sandbox.run(SLIPGATE_WEBHOOK_URL="") == 0, sandbox.printed()
    assert sandbox.gateway.requests == []
    types = _spooled_types(sandbox)
    assert (types[0], types[-1]) == ("task.started", "task.completed")
    assert sandbox.github.pulls


def test_an_unwell_gateway_is_given_time_and_an_event_it_cannot_take_blocks_no_other(
    sandbox: Sandbox,
) -> None:
    sandbox.agent_is(f"echo hello; {FIX}")
    sandbox.gateway.on_step("log", refusal(422, "invalid_request"))
    unwell = [
        refusal(503, "unavailable", retry_after="0"),
        refusal(429, "too_many_requests", retry_after="0"),
        Response(status=500, content=b"oops"),
    ]

    def react(event: Event) -> Response | None:
        return unwell.pop() if unwell and event.step == "progress:push" else None

    sandbox.gateway.reactions.append(react)
    assert sandbox.run() == 0, sandbox.printed()
    assert unwell == []
    assert sandbox.gateway.last.type == "task.completed"


def test_a_resent_event_keeps_its_id_and_bytes_each_has_the_trace_and_the_last_is_noted(
    sandbox: Sandbox,
) -> None:
    sandbox.agent_is(FIX)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    seen: list[Event] = []

    def react(event: Event) -> Response | None:
        seen.append(event)
        return refusal(503, "unavailable", retry_after="1") if len(seen) == 1 else None

    sandbox.gateway.reactions.append(react)
    assert sandbox.run(TRACEPARENT=trace) == 0, sandbox.printed()
    first, second = sandbox.gateway.requests[:2]
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] < second.headers["webhook-timestamp"]
    size = (sandbox.state / "spool.jsonl").stat().st_size
    assert (sandbox.state / "spool.acknowledged").read_text() == str(size)
    assert {request.headers["traceparent"] for request in sandbox.gateway.requests} == {trace}


def _wait_until_spooled(sandbox: Sandbox, stage: str) -> None:
    event = f'"stage":"{stage}"'
    until(lambda: any(event in body for body in _spooled_bodies(sandbox)), f"{stage} in the spool")


def _spooled_bodies(sandbox: Sandbox) -> list[str]:
    return [base64.b64decode(str(line["body"])).decode() for line in sandbox.spooled()]


def _spooled_types(sandbox: Sandbox) -> list[str]:
    return [json.loads(body)["type"] for body in _spooled_bodies(sandbox)]
