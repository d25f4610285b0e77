"""The database as an operator's commands change it, beside a gateway that may run."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from gateway.domain.kernel.ids import callback_secret_id
from gateway.domain.kernel.keyring import Keyring
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.operations.rate_limit import RateLimit
from gateway.store.records import ApiKey
from gateway.store.sqlite.admin.instance import written
from gateway.store.sqlite.admin.master_keys import check_master_keys
from gateway.store.sqlite.admin.upgrade import Upgraded, upgrade
from gateway.store.sqlite.files import check_log, exclusive
from gateway.store.sqlite.migrations import pending, version
from gateway.store.sqlite.operations import key_from_row

_BUSY_SECONDS: Final = 10.0

API_KEYS: Final = """
SELECT id, scope, project, name, all_projects, rate_limit, created_at, revoked_at FROM api_keys
ORDER BY created_at"""

INSERT_API_KEY: Final = """
INSERT INTO api_keys (id, hash, scope, project, name, created_at, all_projects, rate_limit)
VALUES (:id, :hash, :scope, :project, :name, :created_at, :all_projects, :rate_limit)"""

REVOKE_API_KEY: Final = """
UPDATE api_keys SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL"""

PROJECT: Final = "SELECT key_id, callback_secret FROM projects WHERE name = :name"

# Not one that is being replaced: what is signed with it is soon refused.
CALLBACK_SECRET_OF_KEY: Final = """
SELECT project.name, project.key_id, project.callback_secret
FROM api_keys AS api_key JOIN projects AS project ON project.name = api_key.project
WHERE api_key.hash = :hash AND api_key.revoked_at IS NULL AND project.expires_at IS NULL
  AND project.callback_secret IS NOT NULL"""  # noqa: S105 - a statement

INSERT_PROJECT: Final = """
INSERT INTO projects (name, secret_id, key_id, callback_secret, created_at)
VALUES (:name, :secret_id, :key_id, :callback_secret, :created_at)"""


class KeyRow(ApiKey, frozen=True, kw_only=True):
    """A key as it is listed; moments in milliseconds."""

    created_at: int
    revoked_at: int | None


@contextmanager
def open_operator(path: Path) -> Iterator["Operator"]:
    """The database, made or brought up to date first; one transaction until the block ends.

    Raises:
        ApiError: it has to be migrated while a gateway runs, or it is newer than this program.
    """
    with closing(connected(path)) as database, written(database):
        yield Operator(database)


def connected(path: Path) -> sqlite3.Connection:
    """A connection to the database, made or brought up to date first.

    Raises:
        ApiError: as `open_operator`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    bring_up_to_date(path)
    database = _connection(path)
    database.execute("PRAGMA foreign_keys = ON")
    return database


def _connection(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)


def bring_up_to_date(path: Path) -> Upgraded:
    """Applies pending migrations under the gateway's lock, after a backup; says which.

    Raises:
        ApiError: a gateway runs, the schema is newer, or there is no room for the backup.
    """
    with closing(_connection(path)) as database:
        if not pending(database):
            return Upgraded(before=version(database))
    with exclusive(path) as descriptor:
        check_log(path, descriptor)
        with closing(_connection(path)) as database:
            return upgrade(database, path)


class Operator:
    """Keys and projects, inside one transaction."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def check_master_keys(self, keyring: Keyring) -> None:
        """Checks, before anything is sealed, that these are the keys of this database.

        Raises:
            ApiError: `wrong_master_key`.
        """
        check_master_keys(self._database, keyring)

    def add_key(self, key: KeyRow, digest: bytes) -> None:
        """Stores a key by its SHA-256."""
        self._database.execute(
            INSERT_API_KEY,
            {
                "id": key.id,
                "hash": digest,
                "scope": key.scope,
                "project": key.project,
                "name": key.name,
                "created_at": key.created_at,
                "all_projects": key.all_projects,
                "rate_limit": _written(key.rate_limit),
            },
        )

    def all_keys(self) -> list[KeyRow]:
        """All keys, revoked ones too, the oldest first."""
        return [key_from_row(KeyRow, row) for row in self._database.execute(API_KEYS)]

    def revoke_key(self, key_id: str, at: int) -> bool:
        """True if there was a live key of this id."""
        changed = self._database.execute(REVOKE_API_KEY, {"id": key_id, "at": at})
        return changed.rowcount == 1

    def has_project(self, name: str) -> bool:
        """True if the project has a callback secret."""
        return self._database.execute(PROJECT, {"name": name}).fetchone() is not None

    def callback_secret(self, name: str) -> Sealed | None:
        """The first callback secret of a project, while it is kept."""
        row = self._database.execute(PROJECT, {"name": name}).fetchone()
        return Sealed(key_id=row[0], box=row[1]) if row and row[1] else None

    def callback_secret_of_key(self, digest: bytes) -> tuple[str, Sealed] | None:
        """The project of a live key, and the one secret its callbacks are signed with."""
        row = self._database.execute(CALLBACK_SECRET_OF_KEY, {"hash": digest}).fetchone()
        return (row[0], Sealed(key_id=row[1], box=row[2])) if row else None

    def add_project(self, name: str, callback_secret: Sealed, at: int) -> None:
        """A project and the secret its callbacks are signed with."""
        self._database.execute(
            INSERT_PROJECT,
            {
                "name": name,
                "secret_id": callback_secret_id(name),
                "key_id": callback_secret.key_id,
                "callback_secret": callback_secret.box,
                "created_at": at,
            },
        )


def _written(limit: RateLimit) -> str | None:
    """The column of a rate limit; None: nothing beside the defaults."""
    return None if limit == RateLimit() else msgspec.json.encode(limit).decode()
