"""A database on a PostgreSQL server that a SQLite file is copied to, or made from."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from psycopg import Connection
from psycopg.sql import SQL, Identifier

from gateway.store.location import PostgresAddress
from gateway.store.postgres import migrations
from gateway.store.postgres.admin.database import PostgresDatabase, connected
from gateway.store.postgres.admin.presence import without_gateways
from gateway.store.postgres.opening import HERE, SET_HOME
from gateway.store.sql.admin.copying import Definition
from gateway.store.sql.rows import Row

COLUMNS: Final = """
SELECT attname FROM pg_attribute
WHERE attrelid = CAST(:name AS regclass) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
# Primary keys stay: rows come in their order. An index of partitions makes those of each by itself.
DEFINITIONS: Final = """
SELECT 'index', class.relname, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON '),
    format('DROP INDEX %I', class.relname)
FROM pg_index JOIN pg_class AS class ON class.oid = indexrelid
WHERE class.relnamespace = CAST(current_schema() AS regnamespace) AND NOT class.relispartition
  AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)
UNION ALL
SELECT CASE contype WHEN 'u' THEN 'unique' ELSE 'foreign' END, conname,
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
        pg_get_constraintdef(oid)),
    format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
FROM pg_constraint
WHERE connamespace = CAST(current_schema() AS regnamespace) AND contype IN ('f', 'u')
  AND conrelid <> 0"""
# The mark is in the transaction of its rows: what a crash of the server takes, it takes together.
# A command that was killed leaves no index behind that the server still makes.
COPY_SETTINGS: Final = """
SELECT set_config('synchronous_commit', 'off', false),
    set_config('client_connection_check_interval', '2s', false),
    set_config('maintenance_work_mem', '256MB', false)"""
NUMBER: Final = """
SELECT setval(pg_get_serial_sequence('audit', 'id'), max(id)) FROM audit HAVING max(id) > 0"""
ANALYZE: Final = "ANALYZE"
COPY: Final = SQL("COPY {table} ({columns}) FROM STDIN")


class PostgresEnd(PostgresDatabase):
    """`CopyEnd` on a connection that commits by itself."""

    def __init__(self, connection: "Connection[Row]", shown: str) -> None:
        super().__init__(connection)
        self.shown = shown

    def columns(self, table: str) -> Sequence[str]:
        """The columns of a table."""
        return [name for (name,) in self.fetch(COLUMNS, {"name": table})]

    def definitions(self) -> Sequence[Definition]:
        """All indexes and constraints but primary keys and checks."""
        return [Definition(*row) for row in self.fetch(DEFINITIONS)]

    def put(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Writes rows."""
        names = SQL(", ").join(map(Identifier, columns))
        statement = COPY.format(table=Identifier(table), columns=names)
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    def settle(self) -> None:
        """Sets the sequence of the audit log, notes where the copy is, and counts the rows for the
        planner."""
        self.fetch(NUMBER)
        ((here,),) = self.fetch(HERE)
        self.write(SET_HOME, [{"home": here}])
        self.fetch(ANALYZE)


@contextmanager
def source_database(address: PostgresAddress) -> Iterator[PostgresEnd]:
    """The database, kept from gateways.

    Raises:
        ApiError: a gateway runs on it, or its schema is another one.
    """
    with connected(address.session_url) as connection:
        migrations.require_newest(connection)
        end = PostgresEnd(connection, address.shown)
        with without_gateways(end):
            yield end


@contextmanager
def target_database(address: PostgresAddress) -> Iterator[PostgresEnd]:
    """The database, migrated and kept from gateways.

    Raises:
        ApiError: a gateway runs on it, or its schema is newer.
    """
    with connected(address.session_url) as connection:
        migrations.migrate(connection)
        end = PostgresEnd(connection, address.shown)
        with without_gateways(end):
            end.fetch(COPY_SETTINGS)
            yield end
