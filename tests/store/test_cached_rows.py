"""Nothing depends on one writer: a batch sees what another connection has committed before it."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.kernel.errors import Conflict
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.realm import first_call
from gateway.store.sqlite.store import SQLiteStore, open_sqlite

POLICY = Policy(key_id="k1")
REALM = ("local", "here", "")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with open_sqlite(tmp_path / "slipgate.db", new_instance_id=lambda: "inst_1") as opened:
        yield opened


def elsewhere(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "slipgate.db", isolation_level=None)) as other:
        other.execute(statement)


async def loaded(store: SQLiteStore) -> UnitOfWork:
    async with store.transaction() as batch:
        return await batch.load([], POLICY, 1_000)


async def written(store: SQLiteStore, endpoint: Endpoint) -> None:
    async with store.transaction() as batch:
        unit = await batch.load([], POLICY, 1_000)
        unit.realms.put(first_call(REALM, 1_000))
        unit.outbox.put_endpoint(endpoint)
        await batch.write(unit)


ENDPOINT = Endpoint(id="ep_1", project="default", origin="", created_at=1, updated_at=1)


async def test_what_a_batch_has_written_is_seen_by_the_next(store: SQLiteStore) -> None:
    await written(store, ENDPOINT)
    unit = await loaded(store)
    assert unit.outbox.directory.find("ep_1") == ENDPOINT
    assert list(unit.realms) == [REALM]


async def test_what_another_connection_has_written_is_seen_too(
    store: SQLiteStore, tmp_path: Path
) -> None:
    await written(store, ENDPOINT)
    elsewhere(tmp_path, "UPDATE ledger SET seq = 41")
    elsewhere(tmp_path, "UPDATE endpoints SET deleted_at = 2")
    elsewhere(tmp_path, "UPDATE realms SET due_at = 7")
    with pytest.raises(Conflict):
        await loaded(store)
    unit = await loaded(store)  # as the ledger does: decides again
    assert unit.seq == 41
    assert unit.outbox.directory.find("ep_1") is None
    assert unit.realms[REALM].due_at == 7


async def failing(store: SQLiteStore) -> None:
    async with store.transaction() as batch:
        unit = await batch.load([], POLICY, 1_000)
        unit.outbox.put_endpoint(ENDPOINT)
        await batch.write(unit)
        raise RuntimeError("no")


async def test_a_batch_that_fails_leaves_no_endpoint_behind(store: SQLiteStore) -> None:
    with pytest.raises(RuntimeError, match="no"):
        await failing(store)
    assert (await loaded(store)).outbox.directory.find("ep_1") is None
