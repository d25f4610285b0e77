"""The limits of a task count its automatic retries too; a person's retry begins anew."""

import json

import pytest

from tests.web.callers import Agent, GatewayHarness, Json, sandbox_of

FAILED: Json = {
    "error": {"stage": "agent", "code": "model_unavailable", "message": "x", "retryable": True}
}


def spent(agent: Agent) -> tuple[int, float]:
    """Turns and dollars that the runner is told of."""
    settings = json.loads(agent.env["SLIPGATE_AGENT"])
    return settings["spentTurns"], settings["spentCostUsd"]


async def next_agent(gateway: GatewayHarness) -> Agent:
    """The agent of the next attempt, once the sandbox of the one before is gone."""
    (destroy,) = await gateway.claim(capacity=0)
    gone = sandbox_of(destroy, "destroyed")
    assert (await gateway.report(destroy, "done", sandbox=gone)).status_code == 200
    (job,) = await gateway.claim()
    assert (await gateway.try_sandbox(job)).status_code == 200
    return Agent(http=gateway.http, env=job["env"])


async def fail(agent: Agent, number: int, turns: int, dollars: float) -> None:
    """Some turns, and a retryable end."""
    usage = {"inputTokens": 1, "outputTokens": 1, "costUsd": dollars, "turns": turns}
    answer = await agent.emit("task.usage", f"u{number}", **usage)
    assert answer.status_code == 202, answer.text
    await agent.emit("task.failed", f"f{number}", **FAILED)


async def test_an_attempt_shares_its_budget_with_those_before_it(gateway: GatewayHarness) -> None:
    job, first = await gateway.launch(maxAttempts=3)
    assert spent(first) == (0, 0.0)
    await fail(first, 1, 20, 1.25)
    second = await next_agent(gateway)
    assert spent(second) == (20, 1.25)
    await fail(second, 2, 5, 0.5)
    third = await next_agent(gateway)
    assert spent(third) == (25, 1.75)
    await fail(third, 3, 5, 0.5)
    assert (await gateway.post(f"/v1/tasks/{job['taskId']}/retry")).status_code == 202
    assert spent(await next_agent(gateway)) == (0, 0.0)


@pytest.mark.parametrize(
    ("agent", "told"), [({}, None), ({"maxCostUsd": 3}, 3.0)], ids=["default", "given"]
)
@pytest.mark.alike
async def test_the_runner_knows_a_bound_that_was_asked_for(
    gateway: GatewayHarness, agent: Json, told: float | None
) -> None:
    job, launched = await gateway.launch(agent=agent)
    assert json.loads(launched.env["SLIPGATE_AGENT"]).get("maxCostUsd") == told
    task = (await gateway.get(f"/v1/tasks/{job['taskId']}")).json()
    assert task["agent"]["maxCostUsd"] == 3.0
