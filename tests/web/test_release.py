"""`POST …/attempts/{n}/release`, for ops alone."""

from typing import Any, Final

import pytest

from tests.web.callers import GatewayHarness, Json

REASON: Json = {"reason": "the host burned down"}


async def ended(gateway: GatewayHarness) -> str:
    """A task that has ended, and whose sandbox is still there."""
    job, agent = await gateway.launch()
    await agent.emit("task.completed", "m1", summary="done")
    task_id: str = job["taskId"]
    return task_id


async def test_ops_declare_a_sandbox_gone(gateway: GatewayHarness) -> None:
    task_id = await ended(gateway)
    for _ in range(2):
        answer = await gateway.post(f"/v1/tasks/{task_id}/attempts/1/release", REASON, scope="ops")
        assert answer.status_code == 200, answer.text
        assert answer.json()["sandbox"]["state"] == "gone"
    assert await gateway.claim(capacity=0) == []
    events = (await gateway.get(f"/v1/tasks/{task_id}/events")).json()["data"]
    (released,) = [event for event in events if event["type"] == "sandbox.released"]
    assert released["data"]["reason"] == REASON["reason"]


@pytest.mark.parametrize("scope", ["tasks", "read", "launcher"])
@pytest.mark.alike
async def test_nobody_else_may(gateway: GatewayHarness, scope: str) -> None:
    task_id = await ended(gateway)
    answer = await gateway.post(f"/v1/tasks/{task_id}/attempts/1/release", REASON, scope=scope)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


WRONG: Final[tuple[tuple[str, Any, int, str], ...]] = (
    ("2", REASON, 404, "not_found"),  # no such attempt
    ("0", REASON, 404, "not_found"),  # none
    ("x", REASON, 404, "not_found"),  # no number
    ("9" * 5_000, REASON, 404, "not_found"),  # a very large one
    ("1", {}, 422, "invalid_request"),  # no reason
    ("1", {"reason": ""}, 422, "invalid_request"),  # an empty one
    ("1", {**REASON, "force": True}, 422, "invalid_request"),  # too much
)


@pytest.mark.alike
async def test_a_wrong_request_says_what_is_wrong(gateway: GatewayHarness) -> None:
    attempts = f"/v1/tasks/{await ended(gateway)}/attempts"
    for attempt, body, status, code in WRONG:
        answer = await gateway.post(f"{attempts}/{attempt}/release", body, scope="ops")
        assert (answer.status_code, answer.json()["code"]) == (status, code), (attempt, body)


async def test_a_living_attempt_is_not_released(gateway: GatewayHarness) -> None:
    job, _ = await gateway.launch()
    answer = await gateway.post(
        f"/v1/tasks/{job['taskId']}/attempts/1/release", REASON, scope="ops"
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "not_finished")
    assert "Cancel" in answer.json()["hint"]
