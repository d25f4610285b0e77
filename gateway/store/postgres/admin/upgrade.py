"""The schema of a PostgreSQL database, beside gateways that may run."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.store.postgres import migrations
from gateway.store.postgres.admin.database import PostgresDatabase, connected
from gateway.store.sql.admin.opening import Upgraded


def upgrade(url: str) -> Upgraded:
    """Applies what is pending; what comes after that goes on with gateways of the version before.

    Raises:
        ApiError: `newer_schema`, or the server does not answer.
    """
    with connected(url) as connection:
        before = migrations.version(connection)
        return Upgraded(before=before, applied=tuple(migrations.migrate(connection)))


def pending(url: str) -> list[int]:
    """The migrations that have not been applied yet.

    Raises:
        ApiError: `newer_schema`, or the server does not answer.
    """
    with connected(url) as connection:
        return migrations.pending(connection)


@contextmanager
def opened(url: str) -> Iterator[PostgresDatabase]:
    """The database; an empty one is migrated first, and no other: gateways may run.

    Raises:
        ApiError: `newer_schema`, `older_schema`, or the server does not answer.
    """
    with connected(url) as connection:
        if not migrations.version(connection):
            migrations.migrate(connection)
        migrations.require_newest(connection, may_be_newer=True)
        yield PostgresDatabase(connection)
