"""The audit of a PostgreSQL database, beside gateways that may run."""

from collections.abc import Container

from gateway.store.postgres.admin.check_schema import check_schema
from gateway.store.postgres.admin.database import PostgresDatabase, connected
from gateway.store.postgres.migrations import require_newest
from gateway.store.sql.admin.audit import Audit, audit_rows
from gateway.store.sql.admin.database import OnProgress, ignore_progress


def audit(
    url: str, *, key_ids: Container[str] | None = None, on_progress: OnProgress = ignore_progress
) -> Audit:
    """Checks the whole database; `key_ids` are those of the master keys, None if unknown.
    `on_progress` is called with the tasks that are checked, and all of them. Pages of the server's
    disk are its own to check (data checksums, `pg_amcheck`).

    Raises:
        ApiError: the server does not answer, or the database has another schema.
    """
    with connected(url) as connection:
        require_newest(connection)
        schema = [*check_schema(connection)]
        database = PostgresDatabase(connection)
        with database.moment():
            return audit_rows(database, schema, key_ids=key_ids, on_progress=on_progress)
