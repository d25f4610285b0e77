"""Callers go before what nobody waits for, and neither keeps the other from its end."""

import asyncio
from pathlib import Path

from gateway.domain.kernel.policy import Policy
from gateway.ledger import LEAST_BACKGROUND, MOST_BACKGROUND, Ledger
from gateway.store.sqlite.store import open_sqlite
from tests.store.test_ledger import creation


async def test_callers_go_first_and_background_commands_have_a_share(tmp_path: Path) -> None:
    async with (
        open_sqlite(tmp_path / "slipgate.db", new_instance_id=lambda: "ins_1") as store,
        Ledger(store, Policy(key_id="k1")).running() as ledger,
    ):
        background = [creation(number, title="background") for number in range(MOST_BACKGROUND)]
        callers = [creation(number) for number in range(1_000, 1_004)]
        await asyncio.gather(
            *(ledger.submit(command, is_background=True) for command in background),
            *(ledger.submit(command) for command in callers),
        )
        found = (await store.reads.events_of_project(None, None, after=0, limit=200)).events
    order = [event.task_id for event in found]
    assert order[:4] == [command.task_id for command in callers]
    assert order[4:] == [command.task_id for command in background]
    first_batch = [event.at for event in found].count(found[0].at)
    assert first_batch >= 4 + LEAST_BACKGROUND
