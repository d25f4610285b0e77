"""API keys in the store, and the projects that they open."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gateway.domain.kernel.ids import callback_secret_id
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.operations.api_key import ApiKey, ApiKeys
from gateway.store.sql.connection import Queries
from gateway.store.sql.part import Loading
from gateway.store.sql.rows import API_KEY as COLUMNS
from gateway.store.sql.rows import Params, Row

API_KEY: Final = f"SELECT {COLUMNS} FROM api_keys WHERE hash = :hash AND revoked_at IS NULL"

API_KEYS: Final = f"SELECT {COLUMNS} FROM api_keys"

API_KEYS_BEFORE: Final = f"""
SELECT {COLUMNS} FROM api_keys
WHERE created_at < :at OR (created_at = :at AND id < :id)
ORDER BY created_at DESC, id DESC LIMIT :limit"""

PROJECTS: Final = "SELECT name FROM projects"

INSERT_API_KEYS: Final = f"""
INSERT INTO api_keys (hash, {COLUMNS}) VALUES (:hash, {COLUMNS.marks})"""

REVOKE_API_KEYS: Final = "UPDATE api_keys SET revoked_at = :revoked_at WHERE id = :id"

NOTE_USES: Final = """
UPDATE api_keys SET last_used_at = :at
WHERE id = :id AND (last_used_at IS NULL OR last_used_at < :at)"""

INSERT_PROJECTS: Final = """
INSERT INTO projects (name, secret_id, key_id, callback_secret, created_at)
VALUES (:name, :secret_id, :key_id, :callback_secret, :created_at)"""


def fill(keys: ApiKeys, rows: Iterable[Row], projects: Iterable[Row]) -> None:
    """The stored keys, and the names of the projects."""
    keys.load(map(COLUMNS.read, rows))
    keys.projects = {row[0] for row in projects}


async def load_api_keys(loading: Loading) -> None:
    """All of them: they are few, and rarely changed."""
    fill(loading.unit.api_keys, await loading.all(API_KEYS), await loading.all(PROJECTS))


def write_api_keys(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """New keys, revocations, new projects and uses."""
    keys = unit.api_keys
    yield (
        INSERT_API_KEYS,
        [
            {"hash": digest, **dict(zip(COLUMNS.names, COLUMNS.values(keys[name]), strict=True))}
            for name, digest in keys.digests.items()
        ],
    )
    yield REVOKE_API_KEYS, [{"id": it.id, "revoked_at": it.revoked_at} for it in keys.changes]
    yield (
        INSERT_PROJECTS,
        [
            {
                "name": name,
                "secret_id": callback_secret_id(name),
                "key_id": secret.key_id,
                "callback_secret": secret.box,
                "created_at": at,
            }
            for name, (secret, at) in keys.new_projects.items()
        ],
    )
    yield NOTE_USES, [{"id": name, "at": at} for name, at in keys.uses.items()]


class ApiKeyQueries(Queries):
    """The reads of keys."""

    async def api_key(self, digest: bytes) -> ApiKey | None:
        row = await self._one(API_KEY, {"hash": digest})
        return COLUMNS.read(row) if row else None

    async def api_keys_before(self, at: int, key_id: str, limit: int) -> list[ApiKey]:
        given = {"at": at, "id": key_id, "limit": limit}
        return [*map(COLUMNS.read, await self._all(API_KEYS_BEFORE, given))]
