"""Groups of tasks are counted in the transaction that changes their tasks."""

import asyncio
from typing import Final

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.ids import typeid
from gateway.domain.operations.history import DAY
from tests.store.test_ledger import SPEC
from tests.stores import NewDatabase, ledger_on

NOON: Final = 1_790_000_000_000


async def test_ends_are_counted_until_their_task_goes_on_and_states_until_it_is_deleted(
    database: NewDatabase,
) -> None:
    now = NOON
    names = [typeid("task", now, number) for number in range(3)]
    async with ledger_on(database, lambda: now) as (ledger, store):
        # Each ends in the batch that it came with.
        create = (c.CreateTask(task_id=name, spec=SPEC) for name in names)
        cancel = (c.CancelTask(task_id=name, project=None) for name in names)
        await asyncio.gather(*map(ledger.submit, (*create, *cancel)))
        assert await store.reads.counts() == {"cancelled": 3}
        await ledger.submit(c.RetryTask(task_id=names[0], project=None))
        assert await store.reads.counts() == {"queued": 1, "cancelled": 2}
        facts = await store.reads.status_facts(None, now=now, launchers_since=now)
        assert facts.ended == 2
        (ends,) = (await store.reads.history(None, now)).ends
        assert (ends.status, ends.count) == ("cancelled", 2)
        now += 2 * DAY
        assert await store.reads.has_old_groups(now)
        await ledger.submit(c.Prune(at=now, tasks=tuple(names), ended_before=now))
        assert await store.reads.counts() == {"queued": 1}
        assert not await store.reads.has_old_groups(now)
    assert database.problems() == ()
