"""kill -9 of each program at each point of a task: it goes on, and nothing acknowledged is lost."""

import pytest

from tests.e2e import points
from tests.e2e.frontend import Followed, Json
from tests.e2e.house import House

pytestmark = [pytest.mark.timeout(90), pytest.mark.asyncio(loop_scope="module")]
OUTAGE_IS_SILENCE = {"heartbeatSeconds": 2}
"""A restart takes about as long: the reconciler asks the launcher what became of the agent."""
QUICK_SILENCE = {"heartbeatSeconds": 1}


async def at(it: House, reach: points.Reach, **fields: object) -> Followed:
    """A task that has come to this point."""
    points.hold(it, reach)
    task = await it.frontend.create(it.sample.url, agent=points.agent(reach), **fields)
    await reach(it, task)
    return task


def attempts_started(task: Followed) -> list[int]:
    return [event["attempt"] for event in task.events if event["type"] == "task.started"]


def check_completed(it: House, shown: Json, task: Followed) -> None:
    """One agent did it all, once."""
    assert shown["status"] == "completed"
    assert shown["attempt"] == 1
    assert len(it.pulls(shown["branchName"])) == 1
    assert attempts_started(task) == [1]
    assert len(it.seen_agents) == 1


@pytest.mark.parametrize("reach", points.OF_THE_GATEWAY, ids=points.name)
async def test_a_task_goes_on_after_a_kill_of_the_gateway(it: House, reach: points.Reach) -> None:
    task = await at(it, reach, timeouts=OUTAGE_IS_SILENCE)
    await it.kill_gateway()
    points.let_go(it)
    shown = await task.until_over()
    await it.settle(task)
    check_completed(it, shown, task)


@pytest.mark.parametrize("reach", points.OF_THE_LAUNCHER, ids=points.name)
async def test_a_task_goes_on_after_a_kill_of_the_launcher(it: House, reach: points.Reach) -> None:
    task = await at(it, reach, timeouts=OUTAGE_IS_SILENCE)
    await it.kill_launcher()
    points.let_go(it)
    shown = await task.until_over()
    await it.settle(task)
    check_completed(it, shown, task)
    assert it.duplicates == 0


@pytest.mark.parametrize("reach", points.OF_THE_AGENT, ids=points.name)
async def test_the_next_attempt_of_a_killed_agent_does_the_work(
    it: House, reach: points.Reach
) -> None:
    task = await at(it, reach, maxAttempts=2, timeouts=QUICK_SILENCE)
    await it.kill_agent()
    points.let_go(it)
    retried = await task.until_type("task.retried")
    shown = await task.until_over()
    await it.settle(task)
    assert retried["data"]["error"]["code"] == "agent_exited"
    assert shown["status"] == "completed"
    assert shown["attempt"] == 2
    assert len(it.pulls(shown["branchName"])) == 1
    assert attempts_started(task) == [1, 2]
    assert len(it.seen_agents) == 2


async def test_a_killed_agent_without_another_attempt_is_a_failure_with_its_reason(
    it: House,
) -> None:
    task = await at(it, points.agent_turn, timeouts=QUICK_SILENCE)
    await it.kill_agent()
    points.let_go(it)
    shown = await task.until_over()
    await it.settle(task)
    assert shown["status"] == "failed"
    assert shown["error"]["code"] == "agent_exited"
    assert len(it.seen_agents) == 1
