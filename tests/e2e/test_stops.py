"""A task that is stopped from outside: cancelled, or overtaken by its own next attempt."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.cli.console.output import CommandFailed
from gateway.demo.git import git
from tests.e2e import points, processes
from tests.e2e.evidence import evidence
from tests.e2e.installation import Installation
from tests.e2e.settled import settle
from tests.e2e.stores import on_one

pytestmark = [pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]
QUICK_BEAT = {"heartbeatSeconds": 4}
"""An agent beats four times in that."""


class Latch:
    """A named pipe: whoever reads one byte of it waits until it is written."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.command = ["dd", f"if={path}", "bs=1", "count=1", "status=none"]
        self._end = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def release(self, readers: int) -> None:
        """Lets so many readers go on."""
        os.write(self._end, b"." * readers)

    def close(self) -> None:
        """Gives the pipe up."""
        os.close(self._end)


@contextmanager
def latch(path: Path) -> Iterator[Latch]:
    """A latch for as long as the context lasts."""
    made = Latch(path)
    try:
        yield made
    finally:
        made.close()


def is_branch(it: Installation, branch: str) -> bool:
    return it.world.pushed(branch) is not None


@on_one("sqlite")
async def test_a_cancelled_agent_in_conversation_ends_by_its_own_word(it: Installation) -> None:
    it.world.at_model.shut()
    task = await it.frontend.create()
    await it.world.at_model.reached()
    await task.cancel()
    cancelled = await task.until_type("task.cancelled")
    assert cancelled["source"] == "agent"
    shown = await task.until_over()
    await settle(it, task)
    assert shown["status"] == "cancelled"
    assert not is_branch(it, shown["branchName"])
    assert it.world.pulls(shown["branchName"]) == []


@on_one("postgres")
async def test_a_cancelled_agent_ends_its_command_and_itself(
    it: Installation, tmp_path: Path
) -> None:
    with latch(tmp_path / "latch") as held:
        agent = {"engine": "command", "command": held.command}
        task = await it.frontend.create(agent=agent, timeouts=QUICK_BEAT)
        await task.until_stage("agent")
        await task.cancel()
        cancelled = await task.until_type("task.cancelled")
        assert cancelled["source"] == "agent"
        await task.until_over()
        await settle(it, task)


@on_one("sqlite")
async def test_a_launcher_that_ended_by_itself_is_not_hidden(it: Installation) -> None:
    await asyncio.to_thread(it.launcher.stop)
    with pytest.raises(CommandFailed, match="The launcher ended with exit code"):
        it.begin()
    shown = dict(evidence(it))
    assert shown["launcher-0.log"].startswith(f"exit code {it.launcher.exit_code}, processes {{}}")
    assert not shown["gateway.log"].startswith("exit code None, processes {}")
    it.launcher.start()


async def test_cancel_before_a_launch_needs_no_sandbox(it: Installation) -> None:
    await asyncio.to_thread(it.launcher.kill)
    task = await it.frontend.create()
    await task.cancel()
    await task.until_type("task.cancelled")
    assert it.sandboxes() == []


@on_one("postgres")
async def test_an_attempt_that_was_given_up_pushes_nothing_and_the_next_one_does_the_work(
    it: Installation, tmp_path: Path
) -> None:
    with latch(tmp_path / "latch") as held:
        task = await it.frontend.create(
            agent=points.BY_COMMAND,
            validate=[held.command],
            timeouts=QUICK_BEAT,
            maxAttempts=2,
            onStall="retry",
        )
        await task.until_stage("validate")
        old = processes.runner(it.agent())
        # Nobody is there to end it: it must learn from the gateway that its time is over.
        await asyncio.to_thread(it.launcher.kill)
        os.kill(old, signal.SIGSTOP)
        await task.until_type("task.retried")
        os.kill(old, signal.SIGCONT)
        held.release(readers=2)
        refused = await task.until(lambda event: not event["applied"])
        assert refused["reason"] == "stale_attempt"
        await it.until_no_agent()
        branch = (await task.shown())["branchName"]
        assert not is_branch(it, branch)
        it.launcher.start()
        shown = await task.until_over()
        await settle(it, task)
        assert (shown["status"], shown["attempt"]) == ("completed", 2)
        trailer = "%(trailers:key=Slipgate-Attempt,valueonly)"
        told = git("log", "-1", f"--format={trailer}", branch, folder=it.world.sample.bare)
        assert told.strip() == "2"
