"""kill -9 of each program at each boundary of a task's steps: it goes on, nothing is lost."""

import os
import signal

import pytest

from tests.e2e import points, processes
from tests.e2e.frontend import Followed, Json
from tests.e2e.house import House
from tests.e2e.points import Fate, answered, asked
from tests.e2e.proxy import Boundary
from tests.e2e.settled import settle

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]
OUTAGE_IS_SILENCE = {"heartbeatSeconds": 2}
"""A restart takes about as long: the reconciler asks the launcher what became of the agent."""
QUICK_SILENCE = {"heartbeatSeconds": 1}


async def at(it: House, boundary: Boundary, **fields: object) -> Followed:
    """A task that has come to this boundary."""
    it.proxy.hold(boundary)
    task = await it.frontend.create(**{"agent": points.BY_COMMAND, **fields})
    await it.proxy.reached(boundary)
    return task


async def in_conversation(it: House, **fields: object) -> Followed:
    """A task whose agent waits for the model."""
    it.world.at_model.shut()
    task = await it.frontend.create(agent=points.BY_MODEL, **fields)
    await it.world.at_model.reached()
    return task


def attempts_started(task: Followed) -> list[int]:
    return [event["attempt"] for event in task.events if event["type"] == "task.started"]


def stages(task: Followed) -> list[str]:
    return [event["data"]["stage"] for event in task.events if event["type"] == "task.progress"]


def check_completed(it: House, shown: Json, task: Followed) -> None:
    """One agent did it all, once."""
    assert shown["status"] == "completed"
    assert shown["attempt"] == 1
    assert len(it.world.pulls(shown["branchName"])) == 1
    assert attempts_started(task) == [1]
    assert len(it.seen_agents) == 1


@pytest.mark.parametrize("boundary", points.OF_THE_GATEWAY, ids=str)
async def test_a_task_goes_on_after_a_kill_of_the_gateway(it: House, boundary: Boundary) -> None:
    task = await at(it, boundary, timeouts=OUTAGE_IS_SILENCE)
    await it.kill_gateway()
    it.let_go()
    shown = await task.until_over()
    await settle(it, task)
    check_completed(it, shown, task)


async def test_a_conversation_with_a_model_goes_on_after_a_kill_of_the_gateway(it: House) -> None:
    task = await in_conversation(it, timeouts=OUTAGE_IS_SILENCE)
    await it.kill_gateway()
    it.let_go()
    shown = await task.until_over()
    await settle(it, task)
    check_completed(it, shown, task)


async def test_a_webhook_whose_answer_a_killed_gateway_missed_comes_again(it: House) -> None:
    it.world.at_receiver.shut()
    task = await it.frontend.create(agent=points.BY_COMMAND)
    await it.world.at_receiver.reached()
    await it.kill_gateway()
    it.let_go()
    shown = await task.until_over()
    await settle(it, task)
    check_completed(it, shown, task)
    assert [len(moments) for moments in it.world.arrivals.of.values()].count(2) == 1


@pytest.mark.parametrize("boundary", points.OF_THE_LAUNCHER, ids=str)
async def test_a_task_goes_on_after_a_kill_of_the_launcher(it: House, boundary: Boundary) -> None:
    task = await at(it, boundary)
    await it.kill_launcher()
    it.let_go()
    shown = await task.until_over()
    await settle(it, task)
    check_completed(it, shown, task)


async def test_a_conversation_with_a_model_does_not_notice_a_kill_of_the_launcher(
    it: House,
) -> None:
    task = await in_conversation(it)
    await it.kill_launcher()
    it.let_go()
    shown = await task.until_over()
    await settle(it, task)
    check_completed(it, shown, task)


@pytest.mark.parametrize(("killed", "boundary"), points.OF_A_DRAIN, ids=str)
async def test_the_spool_of_a_silent_agent_is_drained_once_through_a_kill(
    it: House, killed: str, boundary: Boundary
) -> None:
    task = await at(it, asked("agent.clone"), timeouts=QUICK_SILENCE)
    it.proxy.hold(boundary)
    agent = processes.runner(it.agent())
    os.kill(agent, signal.SIGSTOP)
    await it.proxy.reached(boundary)
    await it.kill(killed)
    it.let_go()
    os.kill(agent, signal.SIGCONT)
    shown = await task.until_over()
    await settle(it, task)
    check_completed(it, shown, task)
    assert stages(task).count("clone") == 1


@pytest.mark.parametrize(("killed", "boundary"), points.OF_A_LAST_DRAIN, ids=str)
async def test_the_spool_is_drained_before_its_sandbox_goes_through_a_kill(
    it: House, killed: str, boundary: Boundary
) -> None:
    it.proxy.hold(boundary)
    task = await at(it, answered("agent.completed"))
    await it.kill_agent()
    await it.proxy.reached(boundary)
    await it.kill(killed)
    it.let_go()
    shown = await task.until_over()
    await settle(it, task)
    check_completed(it, shown, task)


@pytest.mark.parametrize("fate", points.OF_THE_AGENT, ids=str)
async def test_what_a_killed_agent_said_counts_and_the_next_attempt_does_the_rest(
    it: House, fate: Fate
) -> None:
    task = await at(it, fate.at, maxAttempts=2, timeouts=QUICK_SILENCE)
    await it.kill_agent()
    it.let_go()
    shown = await task.until_over()
    await settle(it, task)
    assert shown["status"] in fate.statuses
    assert shown["attempt"] == fate.attempts
    assert len(it.world.pulls(shown["branchName"])) == 1
    assert attempts_started(task) == list(range(1, fate.attempts + 1))
    assert len(it.seen_agents) == fate.attempts


async def test_a_pull_request_that_a_killed_agent_asked_for_is_the_next_attempts(
    it: House,
) -> None:
    it.world.at_pull_request.shut()
    task = await it.frontend.create(agent=points.BY_COMMAND, maxAttempts=2, timeouts=QUICK_SILENCE)
    await it.world.at_pull_request.reached()
    await it.kill_agent()
    it.let_go()
    shown = await task.until_over()
    await settle(it, task)
    assert (shown["status"], shown["attempt"]) == ("completed", 2)
    assert len(it.world.pulls(shown["branchName"])) == 1


async def test_a_killed_agent_without_another_attempt_is_a_failure_with_its_reason(
    it: House,
) -> None:
    task = await at(it, answered("agent.clone"), timeouts=QUICK_SILENCE)
    await it.kill_agent()
    it.let_go()
    shown = await task.until_over()
    await settle(it, task)
    assert shown["status"] == "failed"
    assert shown["error"]["code"] == "agent_exited"
    assert len(it.seen_agents) == 1
