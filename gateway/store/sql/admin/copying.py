"""The copy of a database into one of the other kind: resumable, and compared at the end.

The copy itself keeps how far it is, in a mark that goes with its end. What it has for speed alone,
its indexes and its foreign keys, is made anew behind the rows. The source is marked too, at the
beginning: nothing changes in it meanwhile, and no gateway goes on there by mistake.
"""

# ruff: noqa: S608 - what is put into a statement here are names of our own tables and columns

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple, Protocol

from gateway.domain.kernel.errors import ApiError
from gateway.store.sql.admin.database import Database, OnProgress
from gateway.store.sql.admin.marks import (
    COPYING,
    MARK_COPYING,
    MARK_MOVED,
    MOVED,
    NOTE_MOVED,
    READ_MOVED,
    UNMARK_COPYING,
    UNMARK_MOVED,
)
from gateway.store.sql.admin.tables import TABLES, Table
from gateway.store.sql.rows import Row

PAGE: Final = 5_000
"""Rows written in one transaction;"""
PAGE_CHARS: Final = 4_000_000
"""fewer, if they are long: characters or bytes."""
# Only a server has them, for itself alone: its place, and the version of cached rows.
LEFT_OUT: Final = frozenset({("ledger", "home"), ("ledger", "version")})

KINDS: Final = ("index", "unique", "foreign")
"""Indexes and constraints, in the order in which they are made."""

NOTE: Final = """
INSERT INTO copying (kind, name, value) VALUES (:kind, :name, :value)
ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value"""
NOTES: Final = "SELECT name, value FROM copying WHERE kind = :kind ORDER BY name"
FORGET: Final = "DELETE FROM copying WHERE kind = :kind AND name = :name"


class Definition(NamedTuple):
    """An index or a constraint, in the statements that make it and drop it."""

    kind: str
    """One of `KINDS`."""
    name: str
    create: str
    drop: str


class CopyEnd(Database, Protocol):
    """A database that is copied, or the copy."""

    shown: str
    """Its address, for people."""

    def columns(self, table: str) -> Sequence[str]:
        """The columns of a table."""

    def definitions(self) -> Sequence[Definition]:
        """The indexes and constraints that are quicker to make behind the rows."""

    def put(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Writes rows."""

    def settle(self) -> None:
        """Sets numbers that the database gives behind those of the rows, and looks at the rows."""

    def moment(self) -> AbstractContextManager[None]:
        """One moment of the database for all reads of the block."""


class Copy:
    """The copy of one database into another; each step goes on where it stood."""

    def __init__(self, source: CopyEnd, target: CopyEnd) -> None:
        self._source = source
        self._target = target
        self.rows = 0
        """Rows of all tables."""

    def begin(self, copy_id: str, *, anew: bool) -> None:
        """Marks both; `anew` gives up an earlier copy of the source.

        Raises:
            ApiError: `target_not_empty`, or `database_moved`.
        """
        source, target = self._source, self._target
        if source.has(COPYING):
            raise _refused("copy_unfinished", f"{source.shown} is a copy that is not whole yet.")
        earlier = {name for name, _ in source.fetch(READ_MOVED)} if source.has(MOVED) else set()
        begun = {name for name, _ in self._notes("copy")} if target.has(COPYING) else set()
        if begun and begun == earlier:
            return
        if earlier and not anew:
            raise _moved_before(source)
        if not begun:
            self._begin_target(copy_id)
        elif begun and self._notes("table"):
            raise _refused("target_not_empty", f"{target.shown} is the copy of another database.")
        ((copy_id, _),) = self._notes("copy")
        with source.transaction():
            if earlier:
                source.fetch(UNMARK_MOVED)
            source.fetch(MARK_MOVED)
            source.write(NOTE_MOVED, [{"copy": copy_id, "target": target.shown}])

    def copy_rows(self, on_progress: OnProgress) -> None:
        """Copies all rows, in pages; `on_progress` is called with their number, and of all.

        Raises:
            ApiError: `copy_differs`.
        """
        with self._source.moment():
            counts = {table.name: _count(self._source, table) for table in TABLES}
            self.rows, done = sum(counts.values()), 0
            places = {name: json.loads(place) for name, place in self._notes("table")}
            for table in TABLES:
                place = places.get(table.name)
                done += _count(self._target, table) if place else 0
                for written in self._copy_table(table, place):
                    done += written
                    on_progress(done, self.rows)
        for table in TABLES:
            found = _count(self._target, table)
            if found != counts[table.name]:
                detail = f"{found} of {counts[table.name]} rows of {table.name} are in the copy."
                raise _refused("copy_differs", detail)

    def make_indexes(self, on_progress: OnProgress) -> None:
        """Makes the indexes and constraints of the copy, one after the other."""
        wanted = [(kind, *note) for kind in KINDS for note in self._notes(kind)]
        for done, (kind, name, create) in enumerate(wanted):
            on_progress(done, len(wanted))
            with self._target.transaction():
                self._target.fetch(create)
                self._target.write(FORGET, [{"kind": kind, "name": name}])
        self._target.settle()

    def end(self) -> None:
        """Lets gateways use the copy."""
        with self._target.transaction():
            self._target.fetch(UNMARK_COPYING)

    def _begin_target(self, copy_id: str) -> None:
        target = self._target
        if any(target.fetch(f"SELECT 1 FROM {table.name} LIMIT 1") for table in TABLES):
            raise _refused("target_not_empty", f"{target.shown} is in use, or was.")
        with target.transaction():
            target.fetch(MARK_COPYING)
            target.write(NOTE, [{"kind": "copy", "name": copy_id, "value": self._source.shown}])
            for it in target.definitions():
                target.write(NOTE, [{"kind": it.kind, "name": it.name, "value": it.create}])
                target.fetch(it.drop)

    def _copy_table(self, table: Table, place: list[Any] | None) -> Iterator[int]:
        columns = [
            name for name in self._source.columns(table.name) if (table.name, name) not in LEFT_OUT
        ]
        keys = [columns.index(name) for name in table.key]
        named = {f"key_{number}": value for number, value in enumerate(place or ())}
        behind = ", ".join(f":{name}" for name in named)
        key = ", ".join(f'"{name}"' for name in table.key)
        statement = (
            f"SELECT {_listed(columns)} FROM {table.name}"
            + (f" WHERE ({key}) > ({behind})" if place else "")
            + f" ORDER BY {key}"
        )
        long = columns.index(table.long) if table.long else None
        for page in _pages(self._source.stream(statement, named), long):
            with self._target.transaction():
                self._target.put(table.name, columns, page)
                reached = json.dumps([page[-1][index] for index in keys])
                self._target.write(NOTE, [{"kind": "table", "name": table.name, "value": reached}])
            yield len(page)

    def _notes(self, kind: str) -> Sequence[Row]:
        return self._target.fetch(NOTES, {"kind": kind})


def _pages(rows: Iterable[Row], long: int | None) -> Iterator[list[Row]]:
    page: list[Row] = []
    length = 0
    for row in rows:
        page.append(row)
        if long is not None:
            length += len(row[long] or "")
        if len(page) == PAGE or length > PAGE_CHARS:
            yield page
            page, length = [], 0
    if page:
        yield page


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _count(database: Database, table: Table) -> int:
    ((count,),) = database.fetch(f"SELECT count(*) FROM {table.name}")
    return int(count)


def _moved_before(source: CopyEnd) -> ApiError:
    ((_, target),) = source.fetch(READ_MOVED)
    return ApiError(
        "database_moved",
        f"{source.shown} was copied to {target} before, and is used there.",
        hint="Copy that one; or, if it was given up, copy this one with --anew.",
    )


def _refused(code: str, detail: str) -> ApiError:
    return ApiError(
        code, detail, hint="Name a new file, or an empty database on a server, as the copy."
    )
