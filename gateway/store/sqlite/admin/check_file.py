"""Checks of the file of a database, and of its schema."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import cache
from typing import Final

from gateway.domain.invariants.task_rows import Problem
from gateway.store.sql.admin.check_database import problem_of
from gateway.store.sqlite.admin.database import damage_noticed
from gateway.store.sqlite.migrations import migrate

# Those left out are marks.
_SCHEMA: Final = """
SELECT type || ' ' || name, sql FROM sqlite_schema
WHERE name NOT LIKE 'sqlite_%' AND name NOT IN ('backup', 'moved', 'copying')"""


def check_file(database: sqlite3.Connection) -> Iterator[Problem]:
    """The problems of the file and its schema.

    Raises:
        Damaged: it cannot be read.
    """
    with damage_noticed():
        for (text,) in database.execute("PRAGMA integrity_check"):
            if text != "ok":
                yield problem_of("integrity", text)
        for table, row, parent, _ in database.execute("PRAGMA foreign_key_check"):
            yield problem_of("foreign_key", f"row {row} of {table} refers to no row of {parent}")
        yield from _schema(database)


def _schema(database: sqlite3.Connection) -> Iterator[Problem]:
    """An index that is missing is no damage to SQLite, and yet a promise that nobody keeps."""
    wanted = _migrated()
    found = dict(database.execute(_SCHEMA))
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            yield problem_of("schema_differs", f"{name} is not as the migrations make it")


@cache
def _migrated() -> Mapping[str, str]:
    """The definition of each object, by its name; it takes 30 ms."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh)
        return dict(fresh.execute(_SCHEMA))
