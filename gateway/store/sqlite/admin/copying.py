"""A SQLite file that is copied to a server, or comes from there."""

# ruff: noqa: S608 - what is put into a statement here are names of our own tables and columns

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from gateway.store.sql.admin.copying import Definition
from gateway.store.sql.rows import Row
from gateway.store.sqlite.admin.database import SQLiteDatabase
from gateway.store.sqlite.admin.upgrade import upgrade
from gateway.store.sqlite.files import check_log, exclusive
from gateway.store.sqlite.migrations import require_newest

COLUMNS: Final = "SELECT name FROM pragma_table_info(:name)"
INDEXES: Final = """
SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"""
# The copy is checked for itself, whole.
COPY_SETTINGS: Final = ("journal_mode = WAL", "synchronous = NORMAL", "cache_size = -64000")


class SQLiteEnd(SQLiteDatabase):
    """`CopyEnd` on a file that nobody else has."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection)
        self.shown = f"sqlite:///{path}"

    def columns(self, table: str) -> Sequence[str]:
        """The columns of a table."""
        return [name for (name,) in self.fetch(COLUMNS, {"name": table})]

    def definitions(self) -> Sequence[Definition]:
        """All indexes but those of primary keys."""
        return [
            Definition(kind="index", name=name, create=create, drop=f"DROP INDEX {name}")
            for name, create in self.fetch(INDEXES)
        ]

    def put(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Writes rows."""
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join("?" for _ in columns)
        self.write(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)

    def settle(self) -> None:
        """Moves everything from the log into the file."""
        self.fetch("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def moment(self) -> Iterator[None]:
        """A read transaction; nobody else writes meanwhile."""
        self.fetch("BEGIN")
        try:
            yield
        finally:
            self.fetch("COMMIT")


@contextmanager
def source_file(path: Path) -> Iterator[SQLiteEnd]:
    """The file, kept from gateways.

    Raises:
        ApiError: a gateway has it, or its schema is another one.
    """
    with _alone(path) as connection:
        require_newest(connection)
        yield SQLiteEnd(connection, path)


@contextmanager
def target_file(path: Path) -> Iterator[SQLiteEnd]:
    """The file, made if need be, kept from gateways.

    Raises:
        ApiError: a gateway has it, or its schema is newer.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path) as connection:
        upgrade(connection, path)
        for pragma in COPY_SETTINGS:
            connection.execute(f"PRAGMA {pragma}")
        yield SQLiteEnd(connection, path)


@contextmanager
def _alone(path: Path) -> Iterator[sqlite3.Connection]:
    with exclusive(path) as descriptor:
        check_log(path, descriptor)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            yield connection
