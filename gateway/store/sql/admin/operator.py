"""The database as an operator's commands change it, beside a gateway that may run."""

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
from gateway.store.sql.admin.database import Database
from gateway.store.sql.admin.master_keys import check_master_keys
from gateway.store.sql.api_keys import API_KEYS, PROJECTS, fill, write_api_keys
from gateway.store.sql.audit_log import write_audit
from gateway.store.sql.rows import API_KEY

KEY_OF: Final = f"{API_KEYS} WHERE hash = :hash"
PROJECT: Final = "SELECT key_id, callback_secret FROM projects WHERE name = :name"

# Not one that is being replaced: what is signed with it is soon refused.
CALLBACK_SECRET_OF_KEY: Final = """
SELECT project.name, project.key_id, project.callback_secret
FROM api_keys AS api_key JOIN projects AS project ON project.name = api_key.project
WHERE api_key.hash = :hash AND api_key.revoked_at IS NULL AND project.expires_at IS NULL
  AND project.callback_secret IS NOT NULL"""  # noqa: S105 - a statement


class Operator:
    """Keys and projects, inside one transaction."""

    def __init__(self, database: Database) -> None:
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
                self._database.write(statement, rows)
        return answer

    def dry_run(self, command: CreateKey | RevokeKey, now: int) -> KeyReply:
        """As `submit`, but nothing is written."""
        return self._decide(command, now)[1]

    def _decide(self, command: CreateKey | RevokeKey, now: int) -> tuple[UnitOfWork, KeyReply]:
        unit = UnitOfWork(policy=Policy(key_id=""))
        fill(unit.api_keys, self._database.fetch(API_KEYS), self._database.fetch(PROJECTS))
        answer = decide(unit, replace(command, actor=CLI), now)
        if not isinstance(answer, KeyReply):
            raise TypeError(f"{type(command).__name__} was answered by {type(answer).__name__}")
        return unit, answer

    def all_keys(self) -> list[ApiKey]:
        """All keys, revoked ones too, the oldest first."""
        return sorted(
            map(API_KEY.read, self._database.fetch(API_KEYS)), key=lambda key: key.created_at
        )

    def key_of(self, digest: bytes) -> ApiKey | None:
        """The key with this SHA-256, a revoked one too."""
        rows = self._database.fetch(KEY_OF, {"hash": digest})
        return next(map(API_KEY.read, rows), None)

    def callback_secret(self, name: str) -> Sealed | None:
        """The first callback secret of a project, while it is kept."""
        rows = self._database.fetch(PROJECT, {"name": name})
        return next((Sealed(key_id=key_id, box=box) for key_id, box in rows if box), None)

    def callback_secret_of_key(self, digest: bytes) -> tuple[str, Sealed] | None:
        """The project of a live key, and the one secret its callbacks are signed with."""
        rows = self._database.fetch(CALLBACK_SECRET_OF_KEY, {"hash": digest})
        return next(((name, Sealed(key_id=key_id, box=box)) for name, key_id, box in rows), None)
