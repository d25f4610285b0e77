"""Keys beside a running gateway: made, listed, revoked."""

import hashlib
import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.domain.kernel.sealing import Sealed
from gateway.store.sqlite.admin.operator import KeyRow, open_operator
from gateway.store.sqlite.store import open_sqlite

KEY = KeyRow(
    id="key_1", scope="tasks", project="acme", name="vercel", created_at=1_000, revoked_at=None
)
DIGEST = hashlib.sha256(b"slip_tasks_x").digest()


async def test_a_running_gateway_knows_a_new_key_and_forgets_a_revoked_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "slipgate.db"
    async with open_sqlite(path, new_instance_id=lambda: "i") as store:
        with open_operator(path) as operator:
            operator.add_key(KEY, DIGEST)
        found = await store.reads.api_key(DIGEST)
        assert found is not None
        assert (found.scope, found.project, found.name) == ("tasks", "acme", "vercel")
        with open_operator(path) as operator:
            assert operator.revoke_key("key_1", at=2_000)
        assert await store.reads.api_key(DIGEST) is None


def test_keys_can_be_made_before_the_first_start(tmp_path: Path) -> None:
    path = tmp_path / "state" / "slipgate.db"
    with open_operator(path) as operator:
        operator.add_key(KEY, DIGEST)
    with open_operator(path) as operator:
        assert operator.all_keys() == [KEY]


def test_a_key_is_revoked_once(tmp_path: Path) -> None:
    with open_operator(tmp_path / "slipgate.db") as operator:
        operator.add_key(KEY, DIGEST)
        assert operator.revoke_key("key_1", at=2_000)
        assert not operator.revoke_key("key_1", at=3_000)
        assert not operator.revoke_key("key_2", at=3_000)
        assert operator.all_keys() == [replace(KEY, revoked_at=2_000)]


def test_another_scope_is_refused_by_the_schema(tmp_path: Path) -> None:
    with (
        open_operator(tmp_path / "slipgate.db") as operator,
        pytest.raises(sqlite3.IntegrityError, match="scope"),
    ):
        operator.add_key(replace(KEY, scope="root"), DIGEST)


async def test_a_running_gateway_reads_the_callback_secret_of_a_project(tmp_path: Path) -> None:
    path = tmp_path / "slipgate.db"
    with open_operator(path) as operator:
        operator.add_project("acme", Sealed(key_id="k1", box=b"one"), at=1)
        assert operator.has_project("acme")
    async with open_sqlite(path, new_instance_id=lambda: "i") as store:
        owner = ("acme", None)
        (live,) = (await store.reads.live_secrets([owner], 2))[owner]
    assert (live.is_of_project, live.sealed) == (True, Sealed(key_id="k1", box=b"one"))
