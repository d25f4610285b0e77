"""An operator's commands on a PostgreSQL server, beside a gateway that runs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import pytest

from gateway.cli.operations.database import Migrated, Verified
from gateway.store.postgres.migrations import SET_VERSION, newest
from gateway.store.sql.migrations import ROOT
from gateway.wire.keys import KeyView
from tests.app.processes import MASTER, environ, gateway_process
from tests.cli.test_operator_commands import KEY, minted, run
from tests.postgres.databases import EMPTY, new_database

FIRST = ROOT / "postgres" / "0001_schema.sql"
REQUEST = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Mend it", "env": {"A": "1"}}


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Mapping[str, str]]:
    with new_database() as url:
        yield {**environ(tmp_path, 0), "SLIPGATE_DATABASE_URL": url}


def rows(settings: Mapping[str, str], statement: Any) -> list[Any]:
    with psycopg.connect(settings["SLIPGATE_DATABASE_URL"], autocommit=True) as database:
        return database.execute(statement).fetchall()


def test_keys_are_made_checked_and_sealed_anew_beside_a_gateway(
    tmp_path: Path, settings: Mapping[str, str]
) -> None:
    given = {"SLIPGATE_DATABASE_URL": settings["SLIPGATE_DATABASE_URL"]}
    with gateway_process(tmp_path, given) as (_, url, _):
        key = minted(settings)
        http = httpx.Client(base_url=url, trust_env=False, timeout=60)
        http.headers["authorization"] = f"Bearer {key.key}"
        with http:
            assert http.post("/v1/tasks", json=REQUEST).status_code == 202
            verified = run(settings, "verify", "--json")
            found = msgspec.json.decode(verified.stdout, type=Verified)
            assert (found.ok, found.tasks, found.problems) == (True, 1, ())
            both = {**settings, "SLIPGATE_SECRET_KEYS": f"k2:{KEY},{MASTER}"}
            refused = run(both, "keys", "rewrap")
            assert (refused.returncode, b"Restart the gateway" in refused.stderr) == (1, True)
            assert run(settings, "restore", "--recovered").returncode == 1
            assert run(settings, "keys", "revoke", key.id).returncode == 0
    rewrapped = run(both, "keys", "rewrap", "--json")
    assert rewrapped.returncode == 0, rewrapped.stderr
    document = msgspec.json.decode(rewrapped.stdout)
    assert (document["rewrapped"]["env"], document["stillNeeded"]) == (1, {})
    listed = msgspec.json.decode(run(both, "keys", "list", "--json").stdout, type=list[KeyView])
    assert [(it.id, it.revoked_at is not None) for it in listed] == [(key.id, True)]
    assert rows(settings, "SELECT DISTINCT actor FROM audit WHERE action LIKE 'key.%'") == [
        ("cli",)
    ]


def test_an_empty_database_is_migrated_and_an_older_one_is_not_used_before_it_is(
    tmp_path: Path,
) -> None:
    with new_database(EMPTY) as url:
        settings = {**environ(tmp_path, 0), "SLIPGATE_DATABASE_URL": url}
        pending = run(settings, "migrate", "--check")
        assert (pending.returncode, b"slipgate migrate" in pending.stderr) == (1, True)
        assert minted(settings).callback_secret
    with new_database(EMPTY) as url:
        settings = {**settings, "SLIPGATE_DATABASE_URL": url}
        with psycopg.connect(url, autocommit=True) as database:
            database.execute(FIRST.read_text())
            database.execute(SET_VERSION, {"number": 1, "oldest": 0})
        refused = run(settings, "keys", "list")
        assert (refused.returncode, b"slipgate migrate" in refused.stderr) == (1, True)
        migrated = run(settings, "migrate", "--json")
        applied = msgspec.json.decode(migrated.stdout, type=Migrated).applied
        assert applied == (*range(2, newest() + 1),)
        assert run(settings, "keys", "list").returncode == 0


def test_a_recovery_to_an_earlier_moment_is_a_restore_by_the_word_of_the_operator(
    tmp_path: Path, settings: Mapping[str, str]
) -> None:
    given = {"SLIPGATE_DATABASE_URL": settings["SLIPGATE_DATABASE_URL"]}
    found = "SELECT instance_id, seq, home FROM ledger"
    for _ in range(2):
        with gateway_process(tmp_path, given):
            pass
    ((before, seq, home),) = rows(settings, found)
    assert run(settings, "restore", "--recovered").returncode == 0
    with gateway_process(tmp_path, given):
        ((after, later, place),) = rows(settings, found)
    assert (after != before, later - seq, place) == (True, 1_000_000_000, home)


@pytest.mark.parametrize(
    "words", [("backup", "copy.db"), ("restore", "copy.db"), ("restore", "--check", "copy.db")]
)
def test_a_copy_of_a_server_is_made_by_the_tools_of_the_server(
    tmp_path: Path, settings: Mapping[str, str], words: tuple[str, ...]
) -> None:
    refused = run(settings, *words[:-1], str(tmp_path / words[-1]))
    assert refused.returncode == 1
    for part in (b"pg_dump", b"--recovered"):
        assert part in refused.stderr


@pytest.mark.parametrize("words", [("keys", "list"), ("verify",), ("migrate",)])
def test_a_server_that_cannot_be_reached_is_named_without_the_password(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    url = "postgresql://slipgate:hush-hush@127.0.0.1:1/slipgate"
    refused = run({**environ(tmp_path, 0), "SLIPGATE_DATABASE_URL": url}, *words)
    assert refused.returncode == 1
    assert b"127.0.0.1" in refused.stderr
    assert b"Traceback" not in refused.stderr
    assert b"hush-hush" not in refused.stderr
