"""Secrets that are sealed with an old master key, and the same sealed anew, a few at a time."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from gateway.domain.errors import Refused
from gateway.domain.sealing import (
    Sealed,
    callback_secret_context,
    callback_url_context,
    endpoint_headers_context,
    endpoint_url_context,
    env_context,
    signing_secret_context,
)
from gateway.domain.task import Frozen
from gateway.store import statements as sql
from gateway.store.lock import exclusive

KEY_IDS: Final = "SELECT key_ids FROM ledger"

OLD_ENV: Final = """
SELECT task_id, key_id, env FROM task_secrets
WHERE env IS NOT NULL AND key_id <> :current AND task_id > :after
ORDER BY task_id LIMIT :limit"""

RESEAL_ENV: Final = """
UPDATE task_secrets SET env = :box, key_id = :key_id WHERE task_id = :owner AND env = :before"""

OLD_CALLBACK_URL: Final = """
SELECT task_id, callback_key_id, callback_url FROM task_secrets
WHERE callback_url IS NOT NULL AND callback_key_id <> :current AND task_id > :after
ORDER BY task_id LIMIT :limit"""

RESEAL_CALLBACK_URL: Final = """
UPDATE task_secrets SET callback_url = :box, callback_key_id = :key_id
WHERE task_id = :owner AND callback_url = :before"""

OLD_PROJECTS: Final = """
SELECT name, key_id, callback_secret FROM projects
WHERE key_id <> :current AND callback_secret <> x'' AND name > :after ORDER BY name LIMIT :limit"""

RESEAL_PROJECT: Final = """
UPDATE projects SET callback_secret = :box, key_id = :key_id
WHERE name = :owner AND callback_secret = :before"""

OLD_SIGNING_SECRETS: Final = """
SELECT id, key_id, secret FROM signing_secrets
WHERE key_id <> :current AND id > :after ORDER BY id LIMIT :limit"""

RESEAL_SIGNING_SECRETS: Final = """
UPDATE signing_secrets SET secret = :box, key_id = :key_id
WHERE id = :owner AND secret = :before"""

OLD_ENDPOINT_URL: Final = """
SELECT id, url_key_id, url FROM endpoints
WHERE url IS NOT NULL AND url_key_id <> :current AND id > :after ORDER BY id LIMIT :limit"""

RESEAL_ENDPOINT_URL: Final = """
UPDATE endpoints SET url = :box, url_key_id = :key_id WHERE id = :owner AND url = :before"""

OLD_ENDPOINT_HEADERS: Final = """
SELECT id, headers_key_id, headers FROM endpoints
WHERE headers IS NOT NULL AND headers_key_id <> :current AND id > :after
ORDER BY id LIMIT :limit"""

RESEAL_ENDPOINT_HEADERS: Final = """
UPDATE endpoints SET headers = :box, headers_key_id = :key_id
WHERE id = :owner AND headers = :before"""

AT_ONCE: Final = 100
"""Values read and written together; an `env` may have megabytes."""


class Kind(Frozen, frozen=True, kw_only=True):
    """A column of sealed values."""

    name: str
    context: Callable[[str], str]
    old: str
    """Those behind an owner that are not sealed with the current key."""
    replace: str
    """Takes the place of a value that is still what it was."""


KINDS: Final = (
    Kind(name="env", context=env_context, old=OLD_ENV, replace=RESEAL_ENV),
    Kind(
        name="callback addresses",
        context=callback_url_context,
        old=OLD_CALLBACK_URL,
        replace=RESEAL_CALLBACK_URL,
    ),
    Kind(
        name="callback secrets",
        context=callback_secret_context,
        old=OLD_PROJECTS,
        replace=RESEAL_PROJECT,
    ),
    Kind(
        name="signing secrets",
        context=signing_secret_context,
        old=OLD_SIGNING_SECRETS,
        replace=RESEAL_SIGNING_SECRETS,
    ),
    Kind(
        name="endpoint addresses",
        context=endpoint_url_context,
        old=OLD_ENDPOINT_URL,
        replace=RESEAL_ENDPOINT_URL,
    ),
    Kind(
        name="endpoint headers",
        context=endpoint_headers_context,
        old=OLD_ENDPOINT_HEADERS,
        replace=RESEAL_ENDPOINT_HEADERS,
    ),
)


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


def replace_values(
    database: sqlite3.Connection, kind: Kind, values: list[tuple[Old, Sealed]]
) -> int:
    """In one short transaction, beside a gateway that may run. What changed meanwhile stays as it
    is; how many were replaced."""
    database.execute("BEGIN IMMEDIATE")
    try:
        replaced = database.executemany(
            kind.replace,
            [
                {
                    "owner": old.owner,
                    "before": old.sealed.box,
                    "key_id": new.key_id,
                    "box": new.box,
                }
                for old, new in values
            ],
        ).rowcount
    except BaseException:
        database.rollback()
        raise
    database.commit()
    return replaced


def check_running_gateway(database: sqlite3.Connection, path: Path, current: str) -> None:
    """A gateway that runs with other keys could not read what is sealed anew.

    Raises:
        Refused: `other_master_key`.
    """
    try:
        with exclusive(path):
            return
    except Refused:
        given = _key_ids(database)
    if not given or given[0] != current:
        raise Refused(
            "other_master_key",
            f"The running gateway seals with {given[0] if given else 'another key'}, and "
            f"SLIPGATE_SECRET_KEYS here begins with {current}.",
            hint="Restart the gateway with the same SLIPGATE_SECRET_KEYS first, the new key in "
            "front and the old one behind it.",
        )


def keys_needed(database: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """By master key id, how many living things of which kind cannot be read without it."""
    needed: dict[str, dict[str, int]] = {}
    for key_id, what, count in database.execute(sql.KEYS_NEEDED):
        needed.setdefault(key_id, {})[what] = count
    return needed


def _key_ids(database: sqlite3.Connection) -> list[str]:
    row = database.execute(KEY_IDS).fetchone()
    return [str(key_id) for key_id in json.loads(row[0])] if row and row[0] else []
