"""Sweeps in the store: the newest report of each realm."""

from typing import Final

import msgspec

from gateway.domain.launching.realm import Realm, Sweep, Unwanted
from gateway.store.sqlite.rows import Params, Row, realm_from_row

UPSERT_SWEEPS: Final = """
INSERT OR REPLACE INTO sweeps (provider, realm, project, at, seen, unwanted, told)
VALUES (?, ?, ?, ?, ?, ?, ?)"""

# Those whose launchers call, or may: nobody else can sweep.
SWEEPS: Final = """
SELECT realm.provider, realm.realm, realm.project, realm.called_at, realm.due_at,
       sweep.at, sweep.seen, sweep.unwanted, sweep.told
FROM realms AS realm LEFT JOIN sweeps AS sweep
    ON sweep.provider = realm.provider AND sweep.realm = realm.realm
    AND sweep.project = realm.project
WHERE realm.due_at > 0
LIMIT :limit"""

_TOLD: Final = msgspec.json.Decoder(tuple[Unwanted, ...])


def sweep_values(sweep: Sweep) -> Params:
    """The columns of `sweeps`."""
    told = msgspec.json.encode(sweep.told).decode()
    return (*sweep.realm, sweep.at, sweep.seen, sweep.unwanted, told)


def swept_from_row(row: Row) -> tuple[Realm, Sweep | None]:
    """A realm, and what was found there last."""
    *columns, at, seen, unwanted, told = row
    known = realm_from_row(columns)
    if at is None:
        return known, None
    return known, Sweep(
        realm=known.key, at=at, seen=seen, unwanted=unwanted, told=_TOLD.decode(told)
    )
