"""New databases, migrated once for each process of the tests and copied from there."""

import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from gateway.domain.kernel.sealing import Sealed
from gateway.domain.operations.api_key import ApiKey, key_digest
from gateway.domain.operations.key_commands import CreateKey
from gateway.store.administration import open_operator
from gateway.store.location import Location
from gateway.store.sqlite.migrations import migrate


def new_database(path: Path) -> Path:
    """An empty database of today's schema, as if it had been migrated here: that takes 30 ms of
    processor time, and most tests need one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_template())
    return path


@cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            migrate(database)
        return path.read_bytes()


def open_project(location: Location, callback_secret: Sealed, name: str = "default") -> None:
    """A key of a new project whose callbacks are signed with this secret."""
    key = ApiKey(id=f"key_of_{name}", scope="tasks", project=name, name="first")
    command = CreateKey(key=key, digest=key_digest(name), callback_secret=callback_secret)
    with open_operator(location) as operator:
        operator.submit(command, 0)
