"""The first step of a gateway on a PostgreSQL database: new, upgraded, or restored from a copy."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier
from typing import Final

import psycopg
import pytest

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.keyring import Keyring
from gateway.store.postgres import migrations
from gateway.store.postgres.batch import BATCHES, BOUNDS
from gateway.store.postgres.opening import prepare
from gateway.store.sql.admin.instance import RESTORE_GAP
from gateway.store.sql.admin.opening import Opening, Restored
from tests.postgres.databases import EMPTY, new_database
from tests.postgres.tunnel import Tunnel

KEYS: Final = Keyring({"k1": b"1" * 32})
_NUMBERS: Final = count(1)


def opened(url: str, keyring: Keyring = KEYS, *, take_over: bool = False) -> tuple[str, Opening]:
    return prepare(url, keyring, lambda: f"ins_{next(_NUMBERS)}", take_over=take_over)


def ledger(url: str) -> tuple[str, int, str]:
    with psycopg.connect(url) as database:
        row = database.execute("SELECT instance_id, seq, key_ids FROM ledger").fetchone()
    assert row is not None
    return row


@pytest.fixture
def url() -> Iterator[str]:
    with new_database() as address:
        opened(address)
        yield address


@pytest.fixture
def copy(url: str) -> Iterator[str]:
    """As pg_dump and pg_restore would make it: the same rows under another number."""
    with new_database(url.rpartition("/")[2]) as address:
        yield address


def test_gateways_that_start_at_once_on_an_empty_database_are_one_instance() -> None:
    with new_database(EMPTY) as url, ThreadPoolExecutor(3) as pool:
        ready = Barrier(3)

        def start(_: int) -> tuple[str, Opening]:
            ready.wait(60)
            return opened(url)

        started = [*pool.map(start, range(3))]
        assert {instance for instance, _ in started} == {ledger(url)[0]}
        applied = sorted(it for _, opening in started for it in opening.upgraded.applied)
        assert applied == list(range(1, migrations.newest() + 1))
        assert [opening.restored for _, opening in started] == [None] * 3


@pytest.mark.parametrize("takes_over", [True, False], ids=["takes over", "beside the old one"])
def test_a_restored_copy_is_another_instance_and_leaves_numbers_out(
    url: str, copy: str, takes_over: bool
) -> None:
    before, seq, _ = ledger(url)
    instance, opening = opened(copy, take_over=takes_over)
    assert (instance == before) is takes_over
    assert opening.restored == Restored(before=before, after=instance)
    assert ledger(copy) == (instance, seq + RESTORE_GAP, '["k1"]')
    # It is at home there from now on, as the one that it was taken from is in its place.
    assert opened(copy)[1].restored is None
    assert opened(url) == (before, Opening(upgraded=opening.upgraded, restored=None))


def test_another_key_under_a_known_id_is_refused_and_nothing_is_written(
    url: str, copy: str
) -> None:
    for address in (url, copy):
        before = ledger(address)
        with pytest.raises(ApiError, match="wrong_master_key"):
            opened(address, Keyring({"k1": b"2" * 32}))
        assert ledger(address) == before


def refusal(url: str) -> ApiError:
    with pytest.raises(ApiError) as refused:
        opened(url)
    assert refused.value.hint
    return refused.value


def test_a_database_that_is_no_use_is_refused_with_a_remedy() -> None:
    with new_database(EMPTY) as url, psycopg.connect(url, autocommit=True) as admin:
        address, _, name = url.rpartition("/")
        admin.execute("CREATE ROLE visitor LOGIN")
        admin.execute(f"CREATE DATABASE {name}_ascii ENCODING 'SQL_ASCII' TEMPLATE {EMPTY}")
        try:
            refused = refusal(url.replace("slipgate@", "visitor@"))
            assert refused.code == "database_forbidden"
            assert "permission denied" in refused.detail
            refused = refusal(f"{url}_ascii")
            assert (refused.code, "SQL_ASCII" in refused.detail) == ("database_encoding", True)
            assert "--encoding=UTF8" in str(refused.hint)
            refused = refusal(f"{address}/nothing")
            assert '"nothing" does not exist' in refused.detail
            refused = refusal(url.replace("slipgate@", "nobody_of_ours@"))
            assert '"nobody_of_ours" does not exist' in refused.detail
        finally:
            admin.execute(f"DROP DATABASE {name}_ascii")
            admin.execute("DROP ROLE visitor")


async def test_a_server_that_is_too_old_is_refused() -> None:
    with new_database(EMPTY) as url, psycopg.connect(url) as admin:
        version = admin.info.parameter_status("server_version")
        assert version is not None
        async with Tunnel(url).running() as tunnel:
            tunnel.rewritten = version.encode(), f"13{version[2:]}".encode()
            refused = await asyncio.to_thread(refusal, tunnel.url)
        assert (refused.code, refused.detail) == (
            "database_too_old",
            "The server is PostgreSQL 13.",
        )


def test_a_server_that_does_not_answer_is_named_without_the_password() -> None:
    with pytest.raises(ApiError, match=r"127\.0\.0\.1.*port 1") as refused:
        opened("postgresql://slipgate:hush-hush@127.0.0.1:1/slipgate")
    assert refused.value.code == "database_unreachable"
    assert "hush-hush" not in f"{refused.value.detail}{refused.value.hint}"


def test_a_transaction_of_others_is_waited_for_and_then_named(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BOUNDS, "lock_timeout", "10ms")
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (BATCHES,))
        with pytest.raises(ApiError, match="lock timeout") as refused:
            opened(url)
    assert refused.value.code == "database_busy"
