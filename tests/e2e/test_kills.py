"""kill -9 of each program at each boundary of a task's steps: it goes on, nothing is lost."""

import os
import signal
from itertools import pairwise, zip_longest

import pytest

from tests.e2e import points, processes
from tests.e2e.frontend import Followed, Json
from tests.e2e.installation import Installation
from tests.e2e.points import Kills, answered, asked
from tests.e2e.proxy import Boundary
from tests.e2e.settled import settle
from tests.e2e.stores import in_turn, on_one

pytestmark = [pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]
OUTAGE_IS_SILENCE = {"heartbeatSeconds": 6}
"""A restart on a busy machine takes about as long, and so does the look into a sandbox that is
silent; one of twice that length would end the task."""
QUICK_SILENCE = {"heartbeatSeconds": 1}


async def at(it: Installation, boundary: Boundary, **fields: object) -> Followed:
    """A task that has come to this boundary."""
    it.proxy.hold(boundary)
    task = await it.frontend.create(**points.QUICK, **fields)
    await it.proxy.reached(boundary)
    return task


async def through(it: Installation, kills: Kills, **fields: object) -> Followed:
    """A task of which each of these programs was killed where it waited.

    The first word of an agent ends the launch: it is kept back until the launch is struck.
    """
    it.proxy.keep_back(points.FIRST_WORD)
    task = await at(it, kills[0][1], **fields)
    await strike(it, kills)
    return task


async def strike(it: Installation, kills: Kills) -> None:
    """Kill what waits at the first boundary, and go on to the next ones."""
    following = [boundary for _, boundary in kills[1:]]
    for (program, boundary), later in zip_longest(kills, following):
        await it.proxy.reached(boundary)
        if later is not None:
            it.proxy.hold(later)
        await it.kill(program)
        it.proxy.release(boundary)
        if later is not None and not later.message.startswith("create."):
            it.proxy.release(points.FIRST_WORD)
    it.let_go()


def named(kills: Kills) -> str:
    program, boundary = kills[0]
    return f"{program}, first at {boundary}"


def attempts_started(task: Followed) -> list[int]:
    return [event["attempt"] for event in task.events if event["type"] == "task.started"]


def stages(task: Followed) -> list[str]:
    return [event["data"]["stage"] for event in task.events if event["type"] == "task.progress"]


def check_completed(it: Installation, shown: Json, task: Followed) -> None:
    """One agent did it all, once."""
    assert shown["status"] == "completed", shown
    assert shown["attempt"] == 1
    assert len(it.world.pulls(shown["branchName"])) == 1
    assert attempts_started(task) == [1]
    assert len(it.seen_agents) == 1


@pytest.mark.parametrize("kills", points.OF_THE_GATEWAY, ids=named)
async def test_a_task_goes_on_after_each_kill_of_the_gateway(
    it: Installation, kills: Kills
) -> None:
    task = await through(it, kills, timeouts=OUTAGE_IS_SILENCE)
    shown = await task.until_over()
    await settle(it, task)
    check_completed(it, shown, task)


@on_one("sqlite")
async def test_a_conversation_with_a_model_goes_on_after_a_kill_of_launcher_and_gateway(
    it: Installation,
) -> None:
    it.world.at_model.shut()
    model = {"agent": points.BY_MODEL}
    task = await it.frontend.create(**points.QUICK | model, timeouts=OUTAGE_IS_SILENCE)
    await it.world.at_model.reached()
    await it.kill_launcher()
    await it.kill_gateway()
    it.let_go()
    shown = await task.until_over()
    await settle(it, task)
    check_completed(it, shown, task)


async def test_a_webhook_whose_answer_a_killed_gateway_missed_comes_again(it: Installation) -> None:
    it.world.at_receiver.shut()
    task = await it.frontend.create(**points.QUICK)
    await it.world.at_receiver.reached()
    await it.kill_gateway()
    it.let_go()
    shown = await task.until_over()
    await settle(it, task)
    check_completed(it, shown, task)
    assert [len(moments) for moments in it.world.arrivals.of.values()].count(2) == 1


@in_turn("kills", points.OF_THE_LAUNCHER, named)
async def test_a_task_goes_on_after_each_kill_of_the_launcher(
    it: Installation, kills: Kills
) -> None:
    task = await through(it, kills)
    shown = await task.until_over()
    await settle(it, task)
    check_completed(it, shown, task)


@in_turn("kills", points.OF_A_DRAIN, named)
async def test_the_spool_of_a_silent_agent_is_drained_once_through_each_kill(
    it: Installation, kills: Kills
) -> None:
    task = await at(it, asked("agent.clone"), timeouts=OUTAGE_IS_SILENCE)
    it.proxy.hold(kills[0][1])
    agent = processes.runner(it.agent())
    os.kill(agent, signal.SIGSTOP)
    await strike(it, kills)
    os.kill(agent, signal.SIGCONT)
    shown = await task.until_over()
    await settle(it, task)
    check_completed(it, shown, task)
    assert stages(task).count("clone") == 1


@in_turn("kills", points.OF_A_LAST_DRAIN, named, first="postgres")
async def test_the_spool_is_drained_before_its_sandbox_goes_through_each_kill(
    it: Installation, kills: Kills
) -> None:
    it.proxy.hold(kills[0][1])
    task = await at(it, answered("agent.completed"))
    await it.kill_agent()
    await strike(it, kills)
    shown = await task.until_over()
    await settle(it, task)
    check_completed(it, shown, task)


@in_turn("boundaries", points.OF_THE_AGENT, lambda boundaries: f"first at {boundaries[0]}")
async def test_after_each_kill_of_the_agent_the_next_attempt_does_the_rest(
    it: Installation, boundaries: tuple[Boundary, ...]
) -> None:
    attempts = len(boundaries) + 1
    task = await at(it, boundaries[0], maxAttempts=attempts, timeouts=QUICK_SILENCE)
    for boundary, later in pairwise([*boundaries, None]):
        assert boundary is not None
        await it.proxy.reached(boundary)
        await it.kill_agent()
        if later is not None:
            it.proxy.hold(later)
        it.proxy.release(boundary)
    shown = await task.until_over()
    await settle(it, task)
    assert (shown["status"], shown["attempt"]) == ("completed", attempts)
    assert len(it.world.pulls(shown["branchName"])) == 1
    assert attempts_started(task) == list(range(1, attempts + 1))
    assert len(it.seen_agents) == attempts


@in_turn("end", points.OF_AN_AGENT_THAT_IS_DONE, lambda end: str(end.boundary))
async def test_what_an_agent_said_before_it_was_killed_counts(
    it: Installation, end: points.End
) -> None:
    task = await at(it, end.boundary, maxAttempts=2, timeouts=OUTAGE_IS_SILENCE)
    await it.kill_agent()
    it.let_go()
    shown = await task.until_over()
    await settle(it, task)
    assert (shown["status"] in end.statuses, shown["attempt"]) == (True, 1)
    assert len(it.world.pulls(shown["branchName"])) == 1
    assert attempts_started(task) == [1]
    assert len(it.seen_agents) == 1


@on_one("postgres")
async def test_a_pull_request_that_a_killed_agent_asked_for_is_the_next_attempts(
    it: Installation,
) -> None:
    it.world.at_pull_request.shut()
    task = await it.frontend.create(**points.QUICK, maxAttempts=2, timeouts=QUICK_SILENCE)
    await it.world.at_pull_request.reached()
    await it.kill_agent()
    it.let_go()
    shown = await task.until_over()
    await settle(it, task)
    assert (shown["status"], shown["attempt"]) == ("completed", 2)
    assert len(it.world.pulls(shown["branchName"])) == 1


@on_one("sqlite")
async def test_a_retry_pushes_what_the_agent_of_an_earlier_attempt_did(it: Installation) -> None:
    remote = it.world.sample.bare
    away = remote.with_name("away.git")
    task = await at(it, asked("agent.push"), maxAttempts=2)
    remote.rename(away)
    it.proxy.hold(asked("agent.failed"))
    it.proxy.release(asked("agent.push"))
    await it.proxy.reached(asked("agent.failed"))
    away.rename(remote)
    it.let_go()
    shown = await task.until_over()
    await settle(it, task)
    assert (shown["status"], shown["attempt"]) == ("completed", 2)
    assert len(it.world.pulls(shown["branchName"])) == 1
    assert stages(task).count("agent") == 1, "no agent was paid again"


@on_one("sqlite")
async def test_a_killed_agent_without_another_attempt_is_a_failure_with_its_reason(
    it: Installation,
) -> None:
    task = await at(it, answered("agent.clone"), timeouts=QUICK_SILENCE)
    await it.kill_agent()
    it.let_go()
    shown = await task.until_over()
    await settle(it, task)
    assert shown["status"] == "failed"
    assert shown["error"]["code"] == "agent_exited"
    assert len(it.seen_agents) == 1
