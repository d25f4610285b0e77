"""Administration of a database of either kind: a file of SQLite, or one on a PostgreSQL server."""

# ruff: noqa: PLC0415 - psycopg is an extra, and 0.1 s of every start

from collections.abc import Container, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from gateway.domain.kernel.errors import ApiError
from gateway.store.location import Location, PostgresAddress
from gateway.store.sql.admin.audit import Audit
from gateway.store.sql.admin.copying import Copy
from gateway.store.sql.admin.database import Database, OnProgress, ignore_progress
from gateway.store.sql.admin.marks import check_marks
from gateway.store.sql.admin.opening import Upgraded
from gateway.store.sql.admin.operator import Operator
from gateway.store.sqlite import migrations as sqlite_migrations
from gateway.store.sqlite.admin import audit as sqlite_audit
from gateway.store.sqlite.admin import copying as sqlite_copying
from gateway.store.sqlite.admin import instance as sqlite_instance
from gateway.store.sqlite.admin import resealing as sqlite_resealing
from gateway.store.sqlite.admin import upgrade as sqlite_upgrade
from gateway.store.sqlite.admin.database import SQLiteDatabase


@contextmanager
def open_database(location: Location) -> Iterator[Database]:
    """The database, beside gateways that may run. An empty one is migrated first; so is a file that
    no gateway has open.

    Raises:
        ApiError: it has another schema than this program, was copied to another one, or cannot be
            opened.
    """
    if isinstance(location, PostgresAddress):
        from gateway.store.postgres.admin.upgrade import opened

        with opened(location.session_url) as database:
            check_marks(database)
            yield database
    else:
        with closing(sqlite_upgrade.connected(location)) as connection:
            check_marks(file := SQLiteDatabase(connection))
            yield file


@contextmanager
def open_operator(location: Location) -> Iterator[Operator]:
    """Keys and projects, in one transaction until the block ends.

    Raises:
        ApiError: as `open_database`.
    """
    with open_database(location) as database, database.transaction():
        yield Operator(database)


def bring_up_to_date(location: Location) -> Upgraded:
    """Applies pending migrations and says which: to a file under the gateway's lock, after a
    backup.

    Raises:
        ApiError: a gateway has the file, the schema is newer, or there is no room for the backup.
    """
    if isinstance(location, PostgresAddress):
        from gateway.store.postgres.admin.upgrade import upgrade

        return upgrade(location.session_url)
    return sqlite_upgrade.bring_up_to_date(location)


def pending(location: Location) -> list[int]:
    """The migrations that have not been applied yet.

    Raises:
        ApiError: the schema is newer than this program, or the server does not answer.
    """
    if isinstance(location, PostgresAddress):
        from gateway.store.postgres.admin.upgrade import pending as pending_on_server

        return pending_on_server(location.session_url)
    return sqlite_upgrade.pending_of(location)


def newest(location: Location) -> int:
    """The schema version this program is made for."""
    if isinstance(location, PostgresAddress):
        from gateway.store.postgres import migrations

        return migrations.newest()
    return sqlite_migrations.newest()


def audit(
    location: Location,
    *,
    key_ids: Container[str] | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Audit:
    """Checks the whole database; `key_ids` are those of the master keys, None if unknown.
    `on_progress` is called with the tasks that are checked, and all of them.

    Raises:
        ApiError: the database has another schema than this program's.
    """
    if isinstance(location, PostgresAddress):
        from gateway.store.postgres.admin.audit import audit as audit_on_server

        return audit_on_server(location.session_url, key_ids=key_ids, on_progress=on_progress)
    return sqlite_audit.audit(location, key_ids=key_ids, on_progress=on_progress)


def check_running_gateway(location: Location, current: str) -> None:
    """A gateway that runs with other keys could not read what is sealed anew.

    Raises:
        ApiError: `other_master_key`.
    """
    if isinstance(location, PostgresAddress):
        from gateway.store.postgres.admin.presence import check_running_gateways

        check_running_gateways(location.session_url, current)
    else:
        sqlite_resealing.check_running_gateway(location, current)


def note_recovery(location: Location) -> None:
    """Says in a database that it was recovered to an earlier moment, by other means than ours.

    Raises:
        ApiError: a gateway runs, or the database has another schema.
    """
    if isinstance(location, PostgresAddress):
        from gateway.store.postgres.admin.presence import note_recovery as note_on_server

        note_on_server(location.session_url)
    else:
        sqlite_instance.note_recovery(location)


@contextmanager
def open_copy(source: Location, target: Location) -> Iterator[Copy]:
    """The copy of a database into one of the other kind; gateways are kept from both.

    Raises:
        ApiError: `same_kind`; a gateway runs, or a schema is another one.
    """
    with ExitStack() as stack:
        match source, target:
            case Path(), PostgresAddress():
                from gateway.store.postgres.admin.copying import target_database

                file = stack.enter_context(sqlite_copying.source_file(source))
                yield Copy(file, stack.enter_context(target_database(target)))
            case PostgresAddress(), Path():
                from gateway.store.postgres.admin.copying import source_database

                database = stack.enter_context(source_database(source))
                yield Copy(database, stack.enter_context(sqlite_copying.target_file(target)))
            case _:
                raise ApiError(
                    "same_kind",
                    "Source and copy are databases of the same kind.",
                    hint="Copy a file with `slipgate backup` and `restore`, a database of a server "
                    "with `pg_dump` and `pg_restore`.",
                )
