"""The master keys a database knows: another key under a known id is refused before it seals."""

import hmac
from typing import Final

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.keyring import Keyring, Unreadable
from gateway.domain.kernel.sealing import Sealed
from gateway.store.sql.admin.database import Database
from gateway.store.sql.admin.sealed import KINDS

KNOWN: Final = "SELECT id, fingerprint FROM master_keys"

REMEMBER: Final = """
INSERT INTO master_keys (id, fingerprint) VALUES (:id, :fingerprint)"""


def check_master_keys(database: Database, keyring: Keyring) -> None:
    """Holds every key of the ring against what was known by its id, and remembers those that are
    new. Call it inside a transaction.

    Raises:
        ApiError: `wrong_master_key`; roll back then.
    """
    known: dict[str, bytes] = dict(map(tuple, database.fetch(KNOWN)))
    wrong = []
    for key_id in keyring.ids:
        fingerprint = keyring.fingerprint(key_id)
        if key_id not in known and _opens(database, keyring, key_id):
            database.write(REMEMBER, [{"id": key_id, "fingerprint": fingerprint}])
        elif not hmac.compare_digest(known.get(key_id, b""), fingerprint):
            wrong.append(key_id)
    if wrong:
        raise _refusal(wrong)


def _opens(database: Database, keyring: Keyring, key_id: str) -> bool:
    """True if a key without a fingerprint opens one value of any kind that is sealed under its id,
    for a single one may be damaged. Where there is none, any key is the right one."""
    is_right = True
    for kind in KINDS:
        for owner, box in database.fetch(kind.sample, {"key_id": key_id}):
            sealed = Sealed(key_id=key_id, box=box)
            try:
                keyring.open(sealed, context=kind.context(owner))
            except Unreadable:
                is_right = False
            else:
                return True
    return is_right


def _refusal(wrong: list[str]) -> ApiError:
    listed = ", ".join(wrong)
    return ApiError(
        "wrong_master_key",
        f"SLIPGATE_SECRET_KEYS gives another master key under the id {listed} than this database "
        "was used with: what is sealed could not be read.",
        hint="Give the key that belongs to this database (`slipgate up` keeps its own in the file "
        "master-keys beside it), or another SLIPGATE_DATABASE_URL. A new key gets an id of its "
        "own, such as k2, in front of the old one.",
    )
