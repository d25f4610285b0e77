"""Deliveries of paused projects are not begun; those of others are, and nothing is forgotten."""

import asyncio
from collections.abc import Callable
from typing import Final

import pytest

from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.operations.switches import Pause
from gateway.loops.deliveries.post import WebhookMessage
from gateway.store.records import Head
from tests.loops.deliverer import NOW, SECRET, Backlog, Hanging, delivering
from tests.loops.heads import Row

MINUTE: Final = 60_000


def pause(*, project: str = "", until: int | None = None, ended_at: int | None = None) -> Pause:
    return Pause(
        switch="delivering",
        project=project,
        since=NOW - 1,
        until=until,
        reason="maintenance",
        actor="key:k",
        ended_at=ended_at,
        ended_by="key:k" if ended_at else None,
    )


def commit(*pauses: Pause) -> UnitOfWork:
    """A batch that has changed switches."""
    unit = UnitOfWork(policy=Policy(key_id="k1"))
    for each in pauses:
        unit.switches.put(each)
    return unit


def commit_after(*pauses: Pause) -> UnitOfWork:
    """The first batch after another gateway has changed switches."""
    unit = UnitOfWork(policy=Policy(key_id="k1"))
    unit.switches.load(pauses)
    unit.outbox.is_read_anew = True
    return unit


async def build(head: Head) -> WebhookMessage:
    return WebhookMessage(
        webhook_id="evt_1", url="http://h.example/", secrets=(SECRET,), body=b"{}"
    )


async def test_a_pause_of_a_project_holds_its_deliveries_alone() -> None:
    outbox, transport = Backlog([Row(), Row(endpoint_id="ep_2", seq=2, project="b")]), Hanging()
    outbox.paused = [pause(project="b")]
    transport.answers.set()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        await delivering(outbox, build, group, transport=transport).step()
    assert [each.endpoint_id for each in outbox.settled] == ["ep_1"]


async def test_the_next_step_comes_when_the_pause_ends_by_the_clock() -> None:
    now, outbox, transport = NOW, Backlog([Row()]), Hanging()
    outbox.paused = [pause(until=NOW + MINUTE // 2)]
    transport.answers.set()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        deliverer = delivering(outbox, build, group, transport=transport, clock=lambda: now)
        assert await deliverer.step() == 30
        assert transport.asked == 0
        now += MINUTE // 2
        await deliverer.step()
    assert [each.seq for each in outbox.settled] == [1]


@pytest.mark.parametrize("commit", [commit, commit_after], ids=["here", "at another gateway"])
async def test_a_commit_pauses_and_resumes(commit: Callable[[Pause], UnitOfWork]) -> None:
    outbox, transport = Backlog([Row()]), Hanging()
    transport.answers.set()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        deliverer = delivering(outbox, build, group, transport=transport)
        outbox.paused = [pause()]
        await deliverer.step()  # reads them
        for change in (pause(ended_at=NOW), pause()):
            deliverer.follow(commit(change))
        assert await deliverer.step() == 60
        assert not deliverer.busy_endpoints
        deliverer.follow(commit(pause(ended_at=NOW)))
        await deliverer.step()
    assert [each.seq for each in outbox.settled] == [1]
