"""PostgreSQL's schema: the tables and functions of SQLite's, and its migrations."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any, Final

import psycopg
import pytest
from psycopg import Connection

from gateway.domain.kernel.errors import ApiError
from gateway.store.postgres import migrations
from gateway.store.sql.migrations import oldest_after
from gateway.store.sqlite.migrations import migrate
from tests.postgres.databases import EMPTY, new_database

Column = tuple[str, str, str, bool, str | None]
"""Table, name, type, whether it may be NULL, default."""

OWN: Final = {
    ("commits", "at", "bigint", False, "((EXTRACT(epoch FROM now()) * (1000)"),
    ("commits", "batch", "bigint", False, None),
    ("commits", "gateway", "text", False, None),
    ("event_months", "first", "text", False, None),
    ("event_months", "name", "text", False, None),
    ("event_months", "next", "text", False, None),
    ("ledger", "home", "text", True, None),
    ("ledger", "version", "bigint", False, "0"),
    ("schema_version", "number", "bigint", False, None),
    ("schema_version", "oldest", "bigint", False, None),
    ("schema_version", "one", "bigint", False, None),
}
"""Columns that one process with one file needs no place for."""
TYPES: Final = {"BLOB": "bytea", "INTEGER": "bigint", "REAL": "double precision", "TEXT": "text"}
COLUMNS: Final = """
SELECT table_name, column_name, data_type, is_nullable = 'YES',
    regexp_replace(column_default, '::.*', ''), collation_name
FROM information_schema.columns JOIN pg_class AS class ON class.oid = table_name::regclass
WHERE table_schema = current_schema() AND NOT class.relispartition"""
INDEXES: Final = """
SELECT class.relname FROM pg_index JOIN pg_class AS class ON class.oid = indexrelid
WHERE class.relnamespace = current_schema()::regnamespace AND NOT class.relispartition
  AND (NOT indisprimary OR class.relname = 'events_of_task')"""


@pytest.fixture
def database() -> Iterator[Connection[Any]]:
    with new_database() as url, psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def sqlite() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        yield connection


def columns(sqlite: sqlite3.Connection) -> Iterator[Column]:
    tables = sqlite.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        found = sqlite.execute("SELECT * FROM pragma_table_info(?)", (table,))
        for _, name, kind, not_null, default, key in found.fetchall():
            yield table, name, TYPES[kind], not (not_null or key), default


def test_both_newest_schemas_have_the_same_tables_and_columns(
    database: Connection[Any], sqlite: sqlite3.Connection
) -> None:
    found = database.execute(COLUMNS).fetchall()
    assert {row[:5] for row in found} == OWN | set(columns(sqlite))
    assert {row[5] for row in found if row[2] == "text"} == {"C"}
    theirs = {name for (name,) in database.execute(INDEXES)} - {
        "api_keys_hash_key",
        "events_in_order",
    }
    ours = sqlite.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql <> ''")
    assert theirs == {name for (name,) in ours}


DOCUMENT: Final = r'{"a":{"b.c":1,"d":"é\n"},"l":[7,["x",null],{"k":"v"}],"z":null,"n":"\\u0000\""}'
EXPRESSIONS: Final = (
    *(
        f"json_extract('{DOCUMENT}', '{path}')"
        for path in ("$.a", "$.a.d", "$.a.d.e", "$.l[1]", "$.l[1][0]", "$.l[1][1]", "$.l[2].k")
    ),
    *(f"json_extract('{DOCUMENT}', '{path}')" for path in ("$.l[9]", "$.z", "$.z.q", "$.n", "$")),
    "json_extract(NULL, '$.a')",
    "(SELECT count(*) FROM json_each(NULL))",
    "(SELECT count(*) FROM json_each('[]'))",
    "(SELECT value FROM json_each('[[1,{\"a\":null}]]'))",
    '(SELECT max(wanted.value) FROM json_each(\'["b",null,"a"]\') AS wanted)',
    "iif(1 < 2, 'a', NULL)",
    "iif(NULL, 1, 2)",
    "instr('é:b', 'b')",
    "instr('a', 'b')",
    "instr(NULL, 'b')",
    "min(2, 3)",
    "max(2, 3)",
    "max(NULL, 3)",
    "min(3, NULL)",
    "max(9223372036854775807, 3)",
)


def test_the_functions_of_shared_statements_do_what_those_of_sqlite_do(
    database: Connection[Any], sqlite: sqlite3.Connection
) -> None:
    asked = [f"SELECT {expression}" for expression in EXPRESSIONS]
    expected = {statement: sqlite.execute(statement).fetchone() for statement in asked}
    assert {statement: database.execute(statement).fetchone() for statement in asked} == expected


def test_a_document_with_nul_can_be_read(database: Connection[Any]) -> None:
    document = r'["\u0000\u0000a\\u0000\\\u0000", {"b": "\u0000"}]'
    read = r"SELECT json_extract(%(it)s, '$[0]'), json_extract(%(it)s, '$[1].b')"
    first, second = "\ufffd\ufffda\\u0000\\\ufffd", "\ufffd"
    assert database.execute(read, {"it": document}).fetchone() == (first, second)
    elements = database.execute("SELECT value FROM json_each(%s)", (document,)).fetchall()
    assert elements == [(first,), ('{"b": "\\ufffd"}',)]


def test_gateways_that_start_at_once_migrate_once() -> None:
    with new_database(EMPTY) as url:
        ready = Barrier(4)

        def migrated(_: int) -> list[int]:
            with psycopg.connect(url, autocommit=True) as database:
                assert migrations.version(database) == 0
                ready.wait(60)
                return migrations.migrate(database)

        with ThreadPoolExecutor(4) as pool:
            applied = sorted(it for numbers in pool.map(migrated, range(4)) for it in numbers)
        assert applied == list(range(1, migrations.newest() + 1))
        with psycopg.connect(url, autocommit=True) as database:
            assert migrations.version(database) == migrations.newest()
            assert migrations.migrate(database) == []


def test_a_schema_of_another_version_is_refused_naming_both(database: Connection[Any]) -> None:
    newest = migrations.newest()
    migrations.require_newest(database)
    database.execute("UPDATE schema_version SET number = number + 1, oldest = number + 1")
    for check in (migrations.migrate, migrations.require_newest):
        with pytest.raises(ApiError, match=f"schema {newest + 1}.*up to {newest}") as newer:
            check(database)
        assert newer.value.code == "newer_schema"
    database.execute("UPDATE schema_version SET number = 0, oldest = 0")
    with pytest.raises(ApiError, match=f"schema 0.*reads {newest}") as older:
        migrations.require_newest(database)
    assert older.value.code == "older_schema"
    assert "slipgate migrate" in (older.value.hint or "")


def test_a_newer_schema_that_this_program_still_works_with_is_taken_as_it_is(
    database: Connection[Any],
) -> None:
    database.execute("UPDATE schema_version SET number = number + 1, oldest = number")
    assert migrations.migrate(database) == []
    migrations.require_newest(database, may_be_newer=True)
    with pytest.raises(ApiError, match="newer_schema"):
        migrations.require_newest(database)


def test_a_schema_that_gateways_which_run_do_not_know_is_refused(database: Connection[Any]) -> None:
    with psycopg.connect(database.info.dsn, autocommit=True, application_name="slipgate session 6"):
        migrations.check_sessions(database, 6)
        with pytest.raises(ApiError, match=r"1 gateways .* older than") as refused:
            migrations.check_sessions(database, 7)
        assert refused.value.code == "older_gateways"
    assert migrations.session_name() == f"slipgate session {migrations.newest()}"


def test_a_migration_says_which_programs_it_leaves_behind(tmp_path: Path) -> None:
    expands, contracts = tmp_path / "0008_more.sql", tmp_path / "0009_less.sql"
    expands.write_text("ALTER TABLE tasks ADD COLUMN colour text;\n")
    contracts.write_text("-- Nobody reads it any more.\n-- Oldest: 8\nALTER TABLE tasks …;\n")
    assert (oldest_after(expands), oldest_after(contracts)) == (0, 8)


def test_a_migration_that_fails_leaves_nothing() -> None:
    with new_database(EMPTY) as url, psycopg.connect(url, autocommit=True) as database:
        database.execute("CREATE TABLE turns (project text)")
        with pytest.raises(psycopg.errors.DuplicateTable):
            migrations.migrate(database)
        assert migrations.version(database) == 0
        database.execute("DROP TABLE turns")
        assert migrations.migrate(database)
