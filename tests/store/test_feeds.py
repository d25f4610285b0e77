"""Feeds as the store keeps them: where they begin once retention has cut into them."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiosqlite
import pytest

from gateway.store import statements as sql
from gateway.store.sqlite import SQLiteStore, open_sqlite


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with open_sqlite(tmp_path / "slipgate.db", new_instance_id=lambda: "i") as opened:
        yield opened


async def test_a_feed_remembers_how_far_it_was_cut_and_never_grows_back(
    store: SQLiteStore, tmp_path: Path
) -> None:
    assert [await store.reads.pruned(project) for project in ("acme", None)] == [0, 0]
    async with aiosqlite.connect(tmp_path / "slipgate.db") as database:
        for project, seq in (("acme", 7), ("acme", 5), ("default", 9)):
            await database.execute(sql.RAISE_PRUNED, {"project": project, "seq": seq})
        await database.commit()
    cut = [await store.reads.pruned(project) for project in ("acme", "default", "other", None)]
    assert cut == [7, 9, 0, 9]
