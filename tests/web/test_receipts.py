"""The receipts of an attempt: read from its final event, verified with its key."""

import pytest

from gateway.wire.receipts import signature
from gateway.wire.signing import secret_bytes
from tests.web.callers import Agent, GatewayHarness, Json

RECEIPTS: list[Json] = [
    {
        "command": "make test",
        "exitCode": 0,
        "seconds": 12.0,
        "status": "passed",
        "outputDigest": "a" * 64,
        "outputTail": "Ran 42 tests: ü\n",
    },
    {
        "command": "tox",
        "exitCode": None,
        "seconds": 0.25,
        "status": "not_run",
        "reason": "tox is not installed",
    },
]


def signed(agent: Agent, receipts: list[Json]) -> str:
    key = secret_bytes(agent.env["SLIPGATE_WEBHOOK_SECRET"])
    attempt = int(agent.env["SLIPGATE_ATTEMPT"])
    return signature(key, agent.env["SLIPGATE_TASK_ID"], attempt, receipts)


async def end(agent: Agent, receipts: list[Json], given: str | None, message: str = "m1") -> None:
    more = {} if given is None else {"receiptsSignature": given}
    answer = await agent.emit("task.needs_review", message, validation=receipts, **more)
    assert answer.status_code == 202, answer.text


async def read(gateway: GatewayHarness, task_id: str, query: str = "") -> Json:
    response = await gateway.get(f"/v1/tasks/{task_id}/receipts{query}")
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


async def test_receipts_are_read_and_verified(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    task_id = job["taskId"]
    nothing: Json = {"data": [], "signature": None, "verified": None, "attempt": 1}
    assert await read(gateway, task_id) == nothing
    given = signed(agent, RECEIPTS)
    await end(agent, RECEIPTS, given)
    found = await read(gateway, task_id)
    assert (found["signature"], found["verified"], found["attempt"]) == (given, True, 1)
    passed, missing = found["data"]
    assert passed == {**RECEIPTS[0], "reason": None, "baseline": None}
    assert (missing["status"], missing["exitCode"], missing["reason"]) == (
        "not_run",
        None,
        "tox is not installed",
    )
    assert await read(gateway, task_id, "?attempt=1") == found
    assert (await gateway.get(f"/v1/tasks/{task_id}/receipts?attempt=2")).status_code == 404


@pytest.mark.parametrize(
    ("changed", "verified"),
    [
        ({"exitCode": 1}, False),
        ({"outputTail": "Ran 0 tests\n"}, False),
        ({"seconds": 12}, True),
        ({"outputTail": "OPENAI_API_KEY=sk-proj-0123456789abcdefghijklmn"}, None),
    ],
    ids=["another exit code", "another output", "the same number", "a secret that was taken out"],
)
@pytest.mark.alike
async def test_only_what_was_signed_is_verified(
    gateway: GatewayHarness, changed: Json, *, verified: bool | None
) -> None:
    job, agent = await gateway.launch()
    sent = [{**RECEIPTS[0], **changed}]
    # Where the gateway itself changes them, they were signed as they were sent.
    given = signed(agent, sent if verified is None else RECEIPTS[:1])
    await end(agent, sent, given)
    assert (await read(gateway, job["taskId"]))["verified"] is verified


async def test_agents_that_do_not_sign_are_not_verified(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    await end(agent, [{"command": ["npm", "test"], "exitCode": 1}, {"command": "x"}], None)
    found = await read(gateway, job["taskId"])
    assert (found["signature"], found["verified"]) == (None, None)
    assert [(one["command"], one["status"]) for one in found["data"]] == [
        ("npm test", "failed"),
        ("x", "not_run"),
    ]


async def test_a_signature_of_another_attempt_does_not_hold(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    key = secret_bytes(agent.env["SLIPGATE_WEBHOOK_SECRET"])
    await end(agent, RECEIPTS, signature(key, job["taskId"], 2, RECEIPTS))
    assert (await read(gateway, job["taskId"]))["verified"] is False
