"""Sealing anew beside a gateway that has the file."""

from contextlib import closing
from pathlib import Path

from gateway.domain.kernel.errors import ApiError
from gateway.store.sql.admin.resealing import check_current
from gateway.store.sqlite.admin.database import SQLiteDatabase
from gateway.store.sqlite.admin.upgrade import connected
from gateway.store.sqlite.files import exclusive


def check_running_gateway(path: Path, current: str) -> None:
    """A gateway that runs with other keys could not read what is sealed anew. Not inside a block
    that has the database open: see `exclusive`.

    Raises:
        ApiError: `other_master_key`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with exclusive(path):
            return
    except ApiError:
        with closing(connected(path)) as connection:
            check_current(SQLiteDatabase(connection), current)
