"""Sweeps in the store: the newest report of each realm."""

from typing import Final

import msgspec

from gateway.domain.realm import Place, Realm
from gateway.domain.sweep import Sweep, Unwanted
from gateway.store.rows import Params, Row

UPSERT_SWEEPS: Final = """
INSERT OR REPLACE INTO sweeps (provider, realm, at, seen, unwanted, told)
VALUES (?, ?, ?, ?, ?, ?)"""

# Those whose launchers call, or may: nobody else can sweep.
SWEEPS: Final = """
SELECT realm.provider, realm.realm, realm.called_at, realm.due_at,
       sweep.at, sweep.seen, sweep.unwanted, sweep.told
FROM realms AS realm LEFT JOIN sweeps AS sweep
    ON sweep.provider = realm.provider AND sweep.realm = realm.realm
WHERE realm.due_at > 0
LIMIT :limit"""

_TOLD: Final = msgspec.json.Decoder(tuple[Unwanted, ...])


def sweep_values(sweep: Sweep) -> Params:
    """The columns of `sweeps`."""
    told = msgspec.json.encode(sweep.told).decode()
    return (*sweep.place, sweep.at, sweep.seen, sweep.unwanted, told)


def swept_from_row(row: Row) -> tuple[Realm, Sweep | None]:
    """A realm, and what was found there last."""
    provider, realm, called_at, due_at, at, seen, unwanted, told = row
    known = Realm(provider=provider, realm=realm, called_at=called_at, due_at=due_at)
    if at is None:
        return known, None
    place: Place = (provider, realm)
    return known, Sweep(place=place, at=at, seen=seen, unwanted=unwanted, told=_TOLD.decode(told))
