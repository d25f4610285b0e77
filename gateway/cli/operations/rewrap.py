"""`slipgate keys rewrap`: seals all secrets again, with the current master key."""

import os
import secrets
from typing import Final

from gateway.cli.console.output import AsJson, CommandFailed, print_document
from gateway.cli.console.progress import in_progress
from gateway.cli.console.terminal import out
from gateway.cli.local.state import read_master_keys
from gateway.domain.kernel.keyring import (
    NONCE_BYTES,
    Keyring,
    UnknownKey,
    Unreadable,
)
from gateway.domain.kernel.sealing import Sealed
from gateway.settings import read_database
from gateway.store.administration import check_running_gateway, open_database
from gateway.store.sql.admin.database import Database, OnProgress
from gateway.store.sql.admin.master_keys import check_master_keys, keys_needed
from gateway.store.sql.admin.resealing import (
    Old,
    count_old,
    old_values,
    replace_values,
)
from gateway.store.sql.admin.sealed import KINDS, Kind

_NAMES: Final = {
    "env": "env",
    "callback addresses": "callbackAddresses",
    "callback secrets": "callbackSecrets",
    "signing secrets": "signingSecrets",
    "endpoint addresses": "endpointAddresses",
    "endpoint headers": "endpointHeaders",
}


def rewrap(as_json: AsJson = False) -> None:
    """Seal all secrets again, with the current master key; a gateway may run.

    Example: slipgate keys rewrap

    Example: slipgate keys rewrap --json
    """
    ring = Keyring(read_master_keys(os.environ))
    location = read_database(os.environ)
    unreadable: dict[str, int] = {}
    check_running_gateway(location, ring.current)
    with open_database(location) as database:
        with database.transaction():
            check_master_keys(database, ring)
        with in_progress("Sealing all secrets again") as on_progress:
            counts = seal_again(database, ring, unreadable, on_progress)
        needed = keys_needed(database)
    old = {key_id: what for key_id, what in sorted(needed.items()) if key_id != ring.current}
    if as_json:
        named = {_NAMES[name]: count for name, count in counts.items()}
        document = {"current": ring.current, "rewrapped": named}
        print_document({**document, "unreadable": unreadable, "stillNeeded": old})
    else:
        _print(ring, counts, old)
    if unreadable:
        raise CommandFailed(
            "These could not be opened: "
            + ", ".join(f"{count} under {key_id}" for key_id, count in unreadable.items())
            + ".",
            "Add those keys to SLIPGATE_SECRET_KEYS, behind the current one, and run it again. If "
            "one is there already, its values were damaged: see `slipgate verify`.",
        )


def seal_again(
    database: Database, ring: Keyring, unreadable: dict[str, int], on_progress: OnProgress
) -> dict[str, int]:
    """Seals all old values anew; the number of them by kind."""
    counts = dict.fromkeys((kind.name for kind in KINDS), 0)
    done, total = 0, count_old(database, ring.current)
    for kind in KINDS:
        for found in old_values(database, kind, ring.current):
            values = _resealed(found, kind, ring, unreadable)
            counts[kind.name] += replace_values(database, kind, values)
            done += len(found)
            on_progress(done, total)
    return counts


def _resealed(
    found: list[Old], kind: Kind, ring: Keyring, unreadable: dict[str, int]
) -> list[tuple[Old, Sealed]]:
    values = []
    for old in found:
        try:
            nonce = secrets.token_bytes(NONCE_BYTES)
            values.append((old, ring.reseal(old.sealed, kind.context(old.owner), nonce)))
        except (UnknownKey, Unreadable):
            key_id = old.sealed.key_id
            unreadable[key_id] = unreadable.get(key_id, 0) + 1
    return values


def _print(ring: Keyring, counts: dict[str, int], old: dict[str, dict[str, int]]) -> None:
    total = ", ".join(f"{count} {name}" for name, count in counts.items())
    out.print(f"sealed with {ring.current}: {total}")
    for key_id in dict.fromkeys((*ring.ids[1:], *old)):
        what = ", ".join(f"{count} {name}" for name, count in old.get(key_id, {}).items())
        out.print(
            f"{key_id} is still needed: {what}"
            if what
            else f"{key_id} is no longer needed: take it out of SLIPGATE_SECRET_KEYS and restart"
        )
    if any("living attempts" in what for what in old.values()):
        out.print("An attempt keeps its key until it has ended.", style="dim")
