"""Conditions that must hold once tasks have ended, whatever was killed."""

from tests.e2e.frontend import Followed, expected_deliveries
from tests.e2e.installation import Installation
from tests.e2e.wait import until


async def settle(it: Installation, *tasks: Followed) -> None:
    """Waits until nothing is under way any more, then holds database, receiver and process table
    against what every task must have left behind: its whole story, once, and nothing else."""
    await until(lambda: not it.checks.unsettled(), "all that is owed to be done")
    await until(lambda: not it.sandboxes(), "the sandboxes' directories to go")
    await until(lambda: not it.left_over(), "the agents' processes to end")
    assert it.audited().problems == ()
    assert it.checks.violations() == []
    assert it.crowds == []
    assert {task.id for task in tasks} <= it.checks.tasks()
    received = it.checks.webhook_counts()
    assert [word for word in it.proxy.acknowledged if received.get(word) != 1] == []
    for task in tasks:
        await _check_events(task)
        _check_callbacks(it, task)
    assert it.world.receiver.refused == 0
    assert it.world.arrivals.needless(it.outages) == []


async def _check_events(task: Followed) -> None:
    events = await task.reread()
    seen = [event["id"] for event in task.events]
    assert [event["id"] for event in events][: len(seen)] == seen
    assert [event["taskSeq"] for event in events] == list(range(1, len(events) + 1))
    task.events = events


def _check_callbacks(it: Installation, task: Followed) -> None:
    received = [one.id for one in it.world.received(task.id)]
    superseded = it.checks.superseded()
    # One that was taken stays owed if its gateway died before it knew: a newer one may replace it.
    taken = {*received} if it.outages else set()
    sent = [
        event for event in task.events if event["seq"] not in superseded or event["id"] in taken
    ]
    assert received == expected_deliveries(sent)
