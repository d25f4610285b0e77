"""A database is copied to the other kind and back, and nothing is lost on the way."""

# ruff: noqa: S608 - what is put into a statement here are names of our own tables and columns

import asyncio
import os
import random
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from gateway.domain.kernel.errors import ApiError
from gateway.store.administration import audit, open_copy, open_database, open_operator
from gateway.store.location import Location, PostgresAddress
from gateway.store.postgres.admin import presence
from gateway.store.postgres.opening import prepare
from gateway.store.postgres.session_connection import LOCK_SHARED, PRESENT, SESSIONS
from gateway.store.sql.admin import copying
from gateway.store.sql.admin.instance import RESTORE_GAP
from gateway.store.sql.admin.tables import TABLES
from gateway.store.sqlite.admin.backup import back_up
from gateway.store.sqlite.store import open_sqlite
from tests.forks.programs import slipgate
from tests.postgres.databases import EMPTY, new_database
from tests.stores import FileDatabase
from tests.web.callers import TASK, GatewayHarness, open_gateway
from tests.web.test_patches import send

KEYS: Final = ("k1",)
ERROR: Final = {"stage": "agent", "code": "x", "message": "\0no\0", "retryable": False}
PATCH: Final = "".join(f"+{random.Random(1).randbytes(40).hex()}\n" for _ in range(30_000))
SIZE: Final = len(PATCH)
PIECE: Final = 800_000


async def _live(folder: Path) -> None:
    """Some of everything: NUL characters, sealed values, a patch of megabytes, a fraction."""
    async with open_gateway(FileDatabase(folder / "slipgate.db")) as gateway:
        endpoint = {"url": "https://receiver.example/", "headers": {"X": "1"}, "ratePerSecond": 2.5}
        assert (await gateway.post("/v1/endpoints", endpoint, "ops")).status_code == 201
        await _post_own_events(gateway)
        _, agent = await gateway.launch(callbackUrl="https://receiver.example/hook")
        for number in range(3):
            await gateway.post(
                "/v1/tasks",
                TASK | {"env": {"A": "\u00fc" * 9_000}, "metadata": {"n": f"{number}"}},
                Idempotency_Key=f"{number}",
            )
        sent = [
            await agent.emit("task.progress", "m1", stage="agent", message="a\0b\\u0000"),
            await agent.emit("task.log", "m2", chunk="\0c", offset=0),
            *[
                await send(
                    agent, f"p{start}", PATCH[start : start + PIECE], offset=start, size=SIZE
                )
                for start in range(0, SIZE, PIECE)
            ],
            await agent.emit("task.failed", "m4", error=ERROR),
        ]
        assert [it.text for it in sent if it.status_code >= 400] == []
        assert (await gateway.get("/v1/audit", "ops")).status_code == 200


async def _post_own_events(gateway: GatewayHarness) -> None:
    """An ordered and a named event of a customer with an endpoint, its type, an ended link."""
    of = {"customer": "acme", "type": "invoice.paid", "data": {"\u00fc": [1.5, None]}}
    kind = {"description": "x", "schema": {"type": "object"}, "example": {}}
    asked = [
        await gateway.send("PUT", "/v1/event-types/invoice.paid", kind),
        await gateway.post(
            "/v1/endpoints", {"url": "https://acme.example/", "customer": "acme"}, "ops"
        ),
        await gateway.post("/v1/events", of | {"orderingKey": "k", "eventId": "e1"}),
        await gateway.post("/v1/events", of | {"orderingKey": "k"}, Idempotency_Key="own"),
        await gateway.post("/v1/portal-links/expire-all", {"customer": "acme"}),
    ]
    assert [it.text for it in asked if not it.is_success] == []


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lived")
    asyncio.run(_live(folder))
    return folder / "slipgate.db"


@pytest.fixture
def source(lived: Path, tmp_path: Path) -> Path:
    """A copy of it that is no backup."""
    back_up(lived, tmp_path / "source.db")
    with closing(sqlite3.connect(tmp_path / "source.db")) as database:
        database.execute("DROP TABLE backup")
        database.execute("UPDATE endpoints SET description = 'a' || char(0) || 'b'")
        database.commit()
    return tmp_path / "source.db"


@pytest.fixture
def server() -> Iterator[PostgresAddress]:
    with new_database(EMPTY) as url:
        yield PostgresAddress.parse(url)


def copied(source: Location, target: Location, *, anew: bool = False) -> int:
    """Copies, and gives the number of rows."""
    with open_copy(source, target) as copy:
        copy.begin(os.urandom(8).hex(), anew=anew)
        copy.copy_rows(lambda _done, _all: None)
        copy.make_indexes(lambda _done, _all: None)
        found = audit(target, key_ids=KEYS)
        assert found.problems == ()
        copy.end()
        return copy.rows


def rows(location: Location) -> dict[str, list[Any]]:
    """All rows of all tables, without what only a server has."""
    with ExitStack() as stack:
        if isinstance(location, Path):
            database: Any = stack.enter_context(closing(sqlite3.connect(location)))
        else:
            database = stack.enter_context(psycopg.connect(location.url))
        return {table.name: _rows(database, *table) for table in TABLES}


def _rows(database: Any, table: str, key: tuple[str, ...], _long: object) -> list[Any]:
    order = ", ".join(f'"{name}"' for name in key)
    cursor = database.execute(f"SELECT * FROM {table} ORDER BY {order}")
    names = [column[0] for column in cursor.description]
    left_out = {"home", "version"} if table == "ledger" else set()
    return [
        {name: value for name, value in zip(names, row, strict=True) if name not in left_out}
        for row in cursor.fetchall()
    ]


def without_nul(found: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {
        table: [
            {
                name: it.replace("\0", "\ufffd") if isinstance(it, str) else it
                for name, it in row.items()
            }
            for row in listed
        ]
        for table, listed in found.items()
    }


def test_a_file_goes_to_a_server_and_back_row_by_row(
    source: Path, server: PostgresAddress, tmp_path: Path
) -> None:
    before = rows(source)
    assert any("\0" in (row["description"] or "") for row in before["endpoints"])
    assert any("\\u0000" in row["data"] for row in before["events"])
    assert [len(before[name]) for name in ("own_events", "event_types", "portals")] == [2, 1, 1]
    count = copied(source, server)
    assert rows(server) == without_nul(before)
    assert count == sum(map(len, before.values()))
    assert copied(server, tmp_path / "back.db") == count
    assert rows(tmp_path / "back.db") == without_nul(before)


def test_what_is_written_to_the_copy_comes_behind_what_was_copied(
    source: Path, server: PostgresAddress
) -> None:
    before = rows(source)
    copied(source, server)
    instance, opening = prepare(server.url, None, lambda: "ins_other", take_over=False)
    assert (instance, opening.restored) == (before["ledger"][0]["instance_id"], None)
    assert rows(server)["ledger"][0]["seq"] == before["ledger"][0]["seq"]
    with psycopg.connect(server.url) as database:
        number = database.execute(
            "INSERT INTO audit (at, actor, action, target, detail) VALUES (1, '', '', '', '{}') "
            "RETURNING id"
        ).fetchone()
    assert number == (before["audit"][-1]["id"] + 1,)


class _Stopped(Exception):
    """As a crash: nothing behind it is done."""


def test_a_copy_goes_on_wherever_it_was_stopped(
    source: Path, server: PostgresAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "PAGE", 2)
    before = rows(source)
    for start, target in ((source, server), (server, tmp_path / "back.db")):
        for step in range(1, 1_000):
            calls = iter(range(step))

            def stop(_done: int, _all: int, calls: Iterator[int] = calls) -> None:
                if next(calls, None) is None:
                    raise _Stopped

            try:
                with open_copy(start, target) as copy:
                    copy.begin(f"copy_{step}", anew=False)
                    copy.copy_rows(stop)
                    copy.make_indexes(stop)
                    copy.end()
                    break
            except _Stopped:
                continue
        assert step > 5
        assert audit(target, key_ids=KEYS).problems == ()
        assert rows(target) == without_nul(before)


def test_a_command_that_is_killed_goes_on_when_it_is_given_again(
    source: Path, server: PostgresAddress
) -> None:
    environ = {**os.environ, "SLIPGATE_DATABASE_URL": f"sqlite:///{source}"}
    command = [slipgate(), "copy", f"--to={server.url}", "--json"]
    with psycopg.connect(server.url, autocommit=True) as database:
        prepare(server.url, None, lambda: "ins_1", take_over=False)
        database.execute("DELETE FROM ledger")
        database.execute(STOP_AT_EVENTS)
        database.execute("SELECT pg_advisory_lock(42)")
        with subprocess.Popen(command, env=environ) as process:
            waits = "SELECT pid FROM pg_locks WHERE objid = 42 AND NOT granted"
            deadline = time.monotonic() + 60
            while not (found := database.execute(waits).fetchall()):
                assert process.poll() is None
                assert time.monotonic() < deadline
            process.kill()
        database.execute("SELECT pg_terminate_backend(%s)", found[0])
        assert database.execute("SELECT count(*) FROM tasks").fetchone() == (4,)
        assert database.execute("SELECT count(*) FROM events").fetchone() == (0,)
        database.execute("DROP TRIGGER stop ON events; DROP FUNCTION stop")
    for location in (source, server):
        with pytest.raises(ApiError) as refused, open_operator(location):
            pass
        assert refused.value.code in {"copy_unfinished", "database_moved"}
    done = subprocess.run(command, env=environ, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert rows(server) == without_nul(rows(source))


STOP_AT_EVENTS: Final = """
CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql
AS 'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN new; END';
CREATE TRIGGER stop BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION stop()"""


async def test_no_gateway_goes_on_where_the_database_was_by_mistake(
    source: Path, server: PostgresAddress, tmp_path: Path
) -> None:
    before = rows(source)["ledger"][0]
    copied(source, server)
    with pytest.raises(ApiError, match="database_moved") as refused:
        async with open_sqlite(source, new_instance_id=lambda: "ins_2"):
            pass
    assert "--take-over" in (refused.value.hint or "")
    assert "host=127.0.0.1" in refused.value.detail
    with pytest.raises(ApiError, match="database_moved"):
        copied(source, server)
    copied(server, tmp_path / "back.db")
    with pytest.raises(ApiError, match="database_moved"):
        prepare(server.url, None, lambda: "ins_2", take_over=False)
    prepare(server.url, None, lambda: "ins_2", take_over=True)
    async with open_sqlite(source, new_instance_id=lambda: "ins_2", take_over=True) as store:
        assert store.instance_id == before["instance_id"]
    for location in (source, server):
        assert rows(location)["ledger"][0]["seq"] == before["seq"] + RESTORE_GAP
        with open_database(location):
            pass


def test_a_copy_that_was_given_up_can_be_made_anew(source: Path, server: PostgresAddress) -> None:
    copied(source, server)
    with new_database(EMPTY) as url:
        other = PostgresAddress.parse(url)
        with pytest.raises(ApiError, match="database_moved") as refused:
            copied(source, other)
        assert "--anew" in (refused.value.hint or "")
        copied(source, other, anew=True)
        assert rows(other) == rows(server)


def test_only_a_database_that_nobody_uses_is_copied_and_only_into_an_empty_one(
    source: Path, server: PostgresAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "LOCK_TIMEOUT", "10ms")
    before = rows(source)
    prepare(server.url, None, lambda: "ins_1", take_over=False)
    with pytest.raises(ApiError, match="target_not_empty"):
        copied(source, server)
    with pytest.raises(ApiError, match="same_kind"):
        copied(source, tmp_path / "other.db")
    with psycopg.connect(server.url, autocommit=True) as gateway:
        key = {"sessions": SESSIONS, "lock": PRESENT}
        gateway.execute(_psycopg(LOCK_SHARED), key)
        for start, target in ((source, server), (server, tmp_path / "other.db")):
            with pytest.raises(ApiError, match="database_locked"):
                copied(start, target)
    assert rows(source) == before
    with open_operator(source):  # it is not marked
        pass


def _psycopg(statement: str) -> Any:
    return statement.replace(":sessions", "%(sessions)s").replace(":lock", "%(lock)s")


def test_rows_with_problems_are_a_copy_only_by_the_word_of_the_operator(
    source: Path, server: PostgresAddress
) -> None:
    with closing(sqlite3.connect(source, isolation_level=None)) as database:
        database.execute("UPDATE ledger SET seq = seq + 1")
    environ = {**os.environ, "SLIPGATE_DATABASE_URL": f"sqlite:///{source}"}
    command = [slipgate(), "copy", f"--to={server.url}"]
    failed = subprocess.run(command, env=environ, capture_output=True, check=False, timeout=60)
    assert (failed.returncode, b"ledger_behind" in failed.stdout) == (1, True)
    assert b"slipgate verify" in failed.stderr
    with pytest.raises(ApiError, match="copy_unfinished"):
        prepare(server.url, None, lambda: "ins_2", take_over=True)
    finished = subprocess.run(
        [*command, "--with-problems"], env=environ, capture_output=True, check=False, timeout=60
    )
    assert finished.returncode == 0
    assert prepare(server.url, None, lambda: "ins_2", take_over=False)[1].restored is None


def test_every_table_is_copied_behind_those_that_its_rows_refer_to(source: Path) -> None:
    places = {table.name: place for place, table in enumerate(TABLES)}
    with closing(sqlite3.connect(source)) as database:
        named = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        assert {name for (name,) in named if not name.startswith("sqlite_")} == places.keys()
        for table, place in places.items():
            for row in database.execute(f"PRAGMA foreign_key_list({table})").fetchall():
                assert places[row[2]] < place
