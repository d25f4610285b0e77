"""Secrets that are sealed with an old master key, and the same sealed anew, a few at a time."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.tasks.task import Frozen
from gateway.store.sql.operations import KEYS_NEEDED
from gateway.store.sqlite.admin.instance import written
from gateway.store.sqlite.admin.sealed import KINDS, Kind
from gateway.store.sqlite.files import exclusive

KEY_IDS: Final = "SELECT key_ids FROM ledger"

AT_ONCE: Final = 100
"""Values read and written together; an `env` may have megabytes."""


class Old(Frozen, frozen=True, kw_only=True):
    """A value under an old key, and whose it is: a task, a project, a secret or an endpoint."""

    owner: str
    sealed: Sealed


def old_values(database: sqlite3.Connection, kind: Kind, current: str) -> Iterator[list[Old]]:
    """All of a kind that are not under the current key, by the hundred; each is given once."""
    after = ""
    while True:
        params = {"current": current, "after": after, "limit": AT_ONCE}
        found = [
            Old(owner=owner, sealed=Sealed(key_id=key_id, box=box))
            for owner, key_id, box in database.execute(kind.old, params)
        ]
        if not found:
            return
        yield found
        after = found[-1].owner


def count_old(database: sqlite3.Connection, current: str) -> int:
    """The number of the values of all kinds that are not under the current key."""
    kinds = {kind.name for kind in KINDS}
    rows = database.execute(KEYS_NEEDED)
    return sum(count for key_id, what, count in rows if key_id != current and what in kinds)


def replace_values(
    database: sqlite3.Connection, kind: Kind, values: list[tuple[Old, Sealed]]
) -> int:
    """Replaces values in one short transaction, beside a gateway that may run; what changed
    meanwhile stays. Returns the number of replaced ones."""
    rows = [
        {"owner": old.owner, "before": old.sealed.box, "key_id": new.key_id, "box": new.box}
        for old, new in values
    ]
    with written(database):
        return database.executemany(kind.replace, rows).rowcount


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
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            given = _key_ids(database)
    if not given or given[0] != current:
        raise ApiError(
            "other_master_key",
            f"The running gateway seals with {given[0] if given else 'another key'}, and "
            f"SLIPGATE_SECRET_KEYS here begins with {current}.",
            hint="Restart the gateway with the same SLIPGATE_SECRET_KEYS first, the new key in "
            "front and the old one behind it.",
        )


def keys_needed(database: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """By master key id, how many living things of which kind cannot be read without it."""
    needed: dict[str, dict[str, int]] = {}
    for key_id, what, count in database.execute(KEYS_NEEDED):
        needed.setdefault(key_id, {})[what] = count
    return needed


def _key_ids(database: sqlite3.Connection) -> list[str]:
    row = database.execute(KEY_IDS).fetchone()
    return [str(key_id) for key_id in json.loads(row[0])] if row and row[0] else []
