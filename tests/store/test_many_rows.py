"""Many rows by one execution leave what row after row leaves."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from gateway.store.sqlite.many_rows import MOST, many_rows, write_rows

TABLE = "CREATE TABLE words (id TEXT PRIMARY KEY, number INTEGER, note TEXT) STRICT"
OLD = [[f"id_{place:03}", place, None] for place in range(0, 200, 3)]
INSERT = """
INSERT INTO words (id, number, note)
VALUES (?1, ?2, CASE WHEN CAST(?3 AS TEXT) IS NULL THEN 'none' ELSE ?3 END)"""
UPSERT = """
INSERT INTO words (id, number, note) VALUES (?1, ?2, ?3)
ON CONFLICT (id) DO UPDATE SET number = excluded.number, note = excluded.note"""
UPDATE = "UPDATE words SET note = ?3, number = ?2 WHERE id = ?1"


@pytest.mark.parametrize("number", [1, 2, 7, MOST + 3, 2 * MOST])
@pytest.mark.parametrize("statement", [INSERT, UPSERT, UPDATE], ids=["insert", "upsert", "update"])
def test_many_rows_are_written_as_each_alone(statement: str, number: int) -> None:
    prefix = "new" if statement == INSERT else "id"
    rows: list[list[Any]] = [
        [f"{prefix}_{place:03}", -place, None if place % 2 else "it's"] for place in range(number)
    ]
    left = []
    for each in (write_rows, row_by_row):
        with closing(sqlite3.connect(":memory:")) as database:
            database.execute(TABLE)
            database.executemany("INSERT INTO words VALUES (?, ?, ?)", OLD)
            each(database, [(statement, rows)])
            left.append(database.execute("SELECT * FROM words ORDER BY id").fetchall())
    assert left[0] == left[1] != OLD


def row_by_row(database: sqlite3.Connection, statements: list[tuple[str, list[Any]]]) -> None:
    for statement, rows in statements:
        database.executemany(statement, rows)


def test_another_statement_is_named() -> None:
    with pytest.raises(ValueError, match="DELETE"):
        many_rows("DELETE FROM words WHERE id = ?1", 2, 1)
