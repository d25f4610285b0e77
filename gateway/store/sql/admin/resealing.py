"""Secrets that are sealed with an old master key, and the same sealed anew, a few at a time."""

import json
from collections.abc import Iterator
from typing import Final

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.tasks.task import Frozen
from gateway.store.sql.admin.database import Database
from gateway.store.sql.admin.master_keys import KEYS_NEEDED
from gateway.store.sql.admin.sealed import KINDS, Kind

KEY_IDS: Final = "SELECT key_ids FROM ledger"

AT_ONCE: Final = 100
"""Values read and written together; an `env` may have megabytes."""


class Old(Frozen, frozen=True, kw_only=True):
    """A value under an old key, and whose it is: a task, a project, a secret or an endpoint."""

    owner: str
    sealed: Sealed


def old_values(database: Database, kind: Kind, current: str) -> Iterator[list[Old]]:
    """All of a kind that are not under the current key, by the hundred; each is given once."""
    after = ""
    while True:
        params = {"current": current, "after": after, "limit": AT_ONCE}
        found = [
            Old(owner=owner, sealed=Sealed(key_id=key_id, box=box))
            for owner, key_id, box in database.fetch(kind.old, params)
        ]
        if not found:
            return
        yield found
        after = found[-1].owner


def count_old(database: Database, current: str) -> int:
    """The number of the values of all kinds that are not under the current key."""
    kinds = {kind.name for kind in KINDS}
    rows = database.fetch(KEYS_NEEDED)
    return sum(count for key_id, what, count in rows if key_id != current and what in kinds)


def replace_values(database: Database, kind: Kind, values: list[tuple[Old, Sealed]]) -> int:
    """Replaces values in one short transaction, beside a gateway that may run; what changed
    meanwhile stays. Returns the number of replaced ones."""
    rows = [
        {"owner": old.owner, "before": old.sealed.box, "key_id": new.key_id, "box": new.box}
        for old, new in values
    ]
    with database.transaction():
        return database.write(kind.replace, rows)


def check_current(database: Database, current: str) -> None:
    """A gateway that runs with other keys could not read what is sealed anew.

    Raises:
        ApiError: `other_master_key`.
    """
    ((noted,),) = database.fetch(KEY_IDS) or [(None,)]
    given = json.loads(noted) if noted else []
    if not given or given[0] != current:
        raise ApiError(
            "other_master_key",
            f"The running gateway seals with {given[0] if given else 'another key'}, and "
            f"SLIPGATE_SECRET_KEYS here begins with {current}.",
            hint="Restart the gateway with the same SLIPGATE_SECRET_KEYS first, the new key in "
            "front and the old one behind it.",
        )
