"""Endpoints in the store, with their secrets and subscriptions."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import UNSET

from gateway.domain.deliveries.endpoint import Directory, Endpoint
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.sql import rows
from gateway.store.sql.connection import Connection
from gateway.store.sql.part import Loading
from gateway.store.sql.replays import ReplayQueries, load_replays, write_replays
from gateway.store.sql.rows import ENDPOINT, SIGNING_SECRET, SUBSCRIPTION, Params

DIRECTORY: Final = f"""
SELECT {ENDPOINT} FROM endpoints WHERE deleted_at IS NULL ORDER BY id"""

UPSERT_ENDPOINTS: Final = ENDPOINT.numbered(f"""
INSERT INTO endpoints ({ENDPOINT})
VALUES ({ENDPOINT.marks})
ON CONFLICT (id) DO UPDATE SET
    origin = excluded.origin, enabled = excluded.enabled, shown_url = excluded.shown_url,
    header_names = excluded.header_names, description = excluded.description,
    event_types = excluded.event_types, rate_per_second = excluded.rate_per_second,
    metadata = excluded.metadata, is_draining = excluded.is_draining,
    disabled_reason = excluded.disabled_reason, failing_since = excluded.failing_since,
    updated_at = excluded.updated_at, told_at = excluded.told_at, seq = excluded.seq""")

SET_URL: Final = "UPDATE endpoints SET url = :box, url_key_id = :key_id WHERE id = :endpoint_id"

SET_HEADERS: Final = """
UPDATE endpoints SET headers = :box, headers_key_id = :key_id WHERE id = :endpoint_id"""

# Its row stays as long as deliveries speak of it, without its secrets.
DELETE_ENDPOINT: Final = """
UPDATE endpoints SET deleted_at = :at, enabled = 0, url = NULL, headers = NULL WHERE id = :id"""

DELETE_SIGNING_SECRETS: Final = """
DELETE FROM signing_secrets
WHERE project = (SELECT project FROM endpoints WHERE id = :id) AND endpoint_id = :id"""

UPSERT_SUBSCRIPTIONS: Final = SUBSCRIPTION.upsert("subscriptions", "endpoint_id", "after_seq")

INSERT_SIGNING_SECRETS: Final = """
INSERT INTO signing_secrets (id, project, endpoint_id, key_id, secret, created_at, expires_at)
VALUES (:id, :project, :endpoint_id, :key_id, :secret, :created_at, :expires_at)"""

EXPIRE_SIGNING_SECRETS: Final = "UPDATE signing_secrets SET expires_at = :at WHERE id = :id"

EXPIRE_CALLBACK_SECRETS: Final = """
UPDATE projects SET expires_at = :at WHERE name = :project AND secret_id = :id"""

# Secrets of an endpoint; of its implicit one, those of the project.
SIGNING_SECRETS: Final = """
SELECT id, project, endpoint_id, created_at, expires_at FROM signing_secrets
WHERE project = :project AND endpoint_id IS :endpoint_id
  AND (expires_at IS NULL OR expires_at > :now)
UNION ALL
SELECT secret_id, name, NULL, created_at, expires_at FROM projects
WHERE name = :project AND CAST(:endpoint_id AS TEXT) IS NULL
  AND (expires_at IS NULL OR expires_at > :now)"""

LIVE_ENDPOINT: Final = f"""
SELECT {ENDPOINT} FROM endpoints WHERE id = :id AND deleted_at IS NULL"""

ENDPOINTS_BEFORE: Final = f"""
SELECT {ENDPOINT} FROM endpoints
WHERE deleted_at IS NULL AND (CAST(:project AS TEXT) IS NULL OR project = :project)
  AND (CAST(:customer AS TEXT) IS NULL OR customer = :customer)
  AND (created_at, id) < (:at, :id)
ORDER BY created_at DESC, id DESC LIMIT :limit"""

SECRETS_NAMED: Final = "SELECT key_id, secret FROM signing_secrets WHERE id = :id"


async def read_directory(connection: Connection) -> Directory:
    """All endpoints that were not deleted."""
    return Directory(map(ENDPOINT.read, await connection.fetch(DIRECTORY)))


async def load_outbox(loading: Loading) -> None:
    """Replays, and the secrets of endpoints; most batches need nothing of it."""
    await load_replays(loading)
    outbox = loading.unit.outbox
    for endpoint_id in loading.wanted.secrets_of:
        endpoint = outbox.directory.find(endpoint_id)
        if endpoint is not None:
            given = {
                "project": endpoint.project,
                "endpoint_id": None if endpoint.implicit else endpoint.id,
                "now": loading.now,
            }
            found = await loading.all(SIGNING_SECRETS, given)
            outbox.secrets[endpoint.id] = tuple(map(SIGNING_SECRET.read, found))


def write_endpoints(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """Endpoints come first: deliveries refer to them."""
    yield UPSERT_ENDPOINTS, [*map(ENDPOINT.values, unit.outbox.changed_endpoints.values())]


def write_outbox(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """Everything else of endpoints, then their replays, then what is deleted."""
    outbox = unit.outbox
    for statement, field in ((SET_URL, "url"), (SET_HEADERS, "headers")):
        changed = [(it.endpoint_id, getattr(it, field)) for it in outbox.addresses]
        yield (
            statement,
            [
                {"endpoint_id": name, **rows.box(value)}
                for name, value in changed
                if value is not UNSET
            ],
        )
    yield UPSERT_SUBSCRIPTIONS, [*map(SUBSCRIPTION.values, outbox.subscriptions)]
    yield (
        INSERT_SIGNING_SECRETS,
        [
            {**rows.named(secret), "key_id": sealed.key_id, "secret": sealed.box}
            for secret, sealed in outbox.new_secrets
        ],
    )
    expiring = [
        {"id": secret.id, "project": secret.project, "at": secret.expires_at}
        for secret in outbox.expiring
    ]
    yield EXPIRE_SIGNING_SECRETS, expiring
    yield EXPIRE_CALLBACK_SECRETS, expiring
    yield from write_replays(outbox)
    deleted = [{"id": key, "at": at} for key, at in outbox.deleted_endpoints.items()]
    yield DELETE_SIGNING_SECRETS, deleted
    yield DELETE_ENDPOINT, deleted


class EndpointQueries(ReplayQueries):
    """The reads of endpoints."""

    async def find(self, endpoint_id: str) -> Endpoint | None:
        row = await self._one(LIVE_ENDPOINT, {"id": endpoint_id})
        return ENDPOINT.read(row) if row else None

    async def before(
        self,
        project: str | None,
        at: int,
        endpoint_id: str,
        limit: int,
        *,
        customer: str | None = None,
    ) -> list[Endpoint]:
        given = {
            "project": project,
            "customer": customer,
            "at": at,
            "id": endpoint_id,
            "limit": limit,
        }
        return [*map(ENDPOINT.read, await self._all(ENDPOINTS_BEFORE, given))]

    async def secret(self, secret_id: str) -> Sealed | None:
        row = await self._one(SECRETS_NAMED, {"id": secret_id})
        return Sealed(key_id=row[0], box=row[1]) if row else None
