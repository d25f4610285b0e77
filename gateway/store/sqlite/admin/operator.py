"""The database as an operator's commands change it, beside a gateway that may run."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from gateway.domain.decide import decide
from gateway.domain.kernel.keyring import Keyring
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.operations.api_key import ApiKey
from gateway.domain.operations.audit_log import CLI
from gateway.domain.operations.key_commands import CreateKey, KeyReply, RevokeKey
from gateway.store.sql.api_keys import API_KEYS, PROJECTS, fill, write_api_keys
from gateway.store.sql.audit_log import write_audit
from gateway.store.sql.rows import API_KEY
from gateway.store.sqlite.admin.instance import written
from gateway.store.sqlite.admin.master_keys import check_master_keys
from gateway.store.sqlite.admin.upgrade import Upgraded, upgrade
from gateway.store.sqlite.files import check_log, exclusive
from gateway.store.sqlite.migrations import pending, version

_BUSY_SECONDS: Final = 10.0

PROJECT: Final = "SELECT key_id, callback_secret FROM projects WHERE name = :name"

# Not one that is being replaced: what is signed with it is soon refused.
CALLBACK_SECRET_OF_KEY: Final = """
SELECT project.name, project.key_id, project.callback_secret
FROM api_keys AS api_key JOIN projects AS project ON project.name = api_key.project
WHERE api_key.hash = :hash AND api_key.revoked_at IS NULL AND project.expires_at IS NULL
  AND project.callback_secret IS NOT NULL"""  # noqa: S105 - a statement


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

    def submit(self, command: CreateKey | RevokeKey, now: int) -> KeyReply:
        """Decides and writes by the rules of the ledger; `now` in milliseconds.

        Raises:
            ApiError: as the rules.
        """
        unit, answer = self._decide(command, now)
        for write in (write_api_keys, write_audit):
            for statement, rows in write(unit, 0):
                self._database.executemany(statement, rows)
        return answer

    def dry_run(self, command: CreateKey | RevokeKey, now: int) -> KeyReply:
        """As `submit`, but nothing is written."""
        return self._decide(command, now)[1]

    def _decide(self, command: CreateKey | RevokeKey, now: int) -> tuple[UnitOfWork, KeyReply]:
        unit = UnitOfWork(policy=Policy(key_id=""))
        fill(unit.api_keys, self._database.execute(API_KEYS), self._database.execute(PROJECTS))
        answer = decide(unit, replace(command, actor=CLI), now)
        if not isinstance(answer, KeyReply):
            raise TypeError(f"{type(command).__name__} was answered by {type(answer).__name__}")
        return unit, answer

    def all_keys(self) -> list[ApiKey]:
        """All keys, revoked ones too, the oldest first."""
        return sorted(
            map(API_KEY.read, self._database.execute(API_KEYS)), key=lambda key: key.created_at
        )

    def callback_secret(self, name: str) -> Sealed | None:
        """The first callback secret of a project, while it is kept."""
        row = self._database.execute(PROJECT, {"name": name}).fetchone()
        return Sealed(key_id=row[0], box=row[1]) if row and row[1] else None

    def callback_secret_of_key(self, digest: bytes) -> tuple[str, Sealed] | None:
        """The project of a live key, and the one secret its callbacks are signed with."""
        row = self._database.execute(CALLBACK_SECRET_OF_KEY, {"hash": digest}).fetchone()
        return (row[0], Sealed(key_id=row[1], box=row[2])) if row else None
