"""Databases as older versions left them."""

import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Final

from gateway.store.sqlite.migrations import FOLDER

DUMP: Final = Path(__file__).parent / "schemas" / "1.sql"
TASKS: Final = 6
EVENTS: Final = 42
SCHEMAS: Final = sorted(int(file.name.split("_", 1)[0]) for file in FOLDER.glob("*.sql"))


def make_old(path: Path, schema: int) -> None:
    """A database with real data, as a gateway of this schema had it; made once for each process of
    the tests, and copied from there."""
    path.write_bytes(_template(schema))


@cache
def _template(schema: int) -> bytes:
    """Made of the one before it."""
    older = SCHEMAS[: SCHEMAS.index(schema)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "old.db"
        if older:
            path.write_bytes(_template(older[-1]))
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous = OFF")
            database.executescript(_upgrade_to(schema) if older else DUMP.read_text())
            database.execute("PRAGMA journal_mode = WAL")
        return path.read_bytes()


def _upgrade_to(schema: int) -> str:
    (file,) = FOLDER.glob(f"{schema:04}_*.sql")
    return f"{file.read_text()}\nPRAGMA user_version = {schema};"
