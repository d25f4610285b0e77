"""The master keys that a database knows and needs, held against those that are given."""

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

# What lives and can be read with this master key alone.
KEYS_NEEDED: Final = """
SELECT key_id, what, count(*) FROM (
    SELECT key_id, 'living attempts' AS what FROM attempts WHERE ended_at IS NULL
    UNION ALL
    SELECT key_id, 'env' FROM task_secrets WHERE env IS NOT NULL
    UNION ALL
    SELECT callback_key_id, 'callback addresses' FROM task_secrets WHERE callback_url IS NOT NULL
    UNION ALL
    SELECT key_id, 'callback secrets' FROM projects WHERE length(callback_secret) > 0
    UNION ALL
    SELECT key_id, 'signing secrets' FROM signing_secrets
    UNION ALL
    SELECT url_key_id, 'endpoint addresses' FROM endpoints WHERE url IS NOT NULL
    UNION ALL
    SELECT headers_key_id, 'endpoint headers' FROM endpoints WHERE headers IS NOT NULL) AS needed
GROUP BY key_id, what"""


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


def check_needed_keys(database: Database, keyring: Keyring) -> None:
    """For a start: the ring has every key that something living was sealed with.

    Raises:
        ApiError: `missing_master_key`.
    """
    if all(key_id in keyring for key_id, _ in database.fetch(KNOWN)):
        return  # to count what needs each of them takes half a second with a million tasks
    missing = {key: counts for key, counts in keys_needed(database).items() if key not in keyring}
    if missing:
        listed = "; ".join(
            f"{key_id}: {', '.join(f'{count} {what}' for what, count in counts.items())}"
            for key_id, counts in missing.items()
        )
        raise ApiError(
            "missing_master_key",
            f"These master keys are still needed ({listed}).",
            hint="Give them in SLIPGATE_SECRET_KEYS, behind the current one. With both given, "
            "`slipgate keys rewrap` seals everything with the current one; only an attempt needs "
            "its own until it has ended.",
        )


def keys_needed(database: Database) -> dict[str, dict[str, int]]:
    """By master key id, the number of living values of each kind that need it."""
    needed: dict[str, dict[str, int]] = {}
    for key_id, what, count in database.fetch(KEYS_NEEDED):
        needed.setdefault(key_id, {})[what] = count
    return needed


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
