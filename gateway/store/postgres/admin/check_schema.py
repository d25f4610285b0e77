"""Check of a PostgreSQL schema: its tables, indexes, constraints and functions are as migrated."""

from collections.abc import Iterator, Mapping
from typing import Final

from psycopg import Connection

from gateway.domain.invariants.task_rows import Problem
from gateway.store.postgres.admin.database import PostgresDatabase
from gateway.store.postgres.migrations import migrate
from gateway.store.sql.admin.check_database import problem_of
from gateway.store.sql.rows import Row

SCRATCH: Final = "CREATE SCHEMA slipgate_verify"
GO_THERE: Final = "SET LOCAL search_path TO slipgate_verify"

# In pretty words names of the current schema are not qualified: those of two schemas compare.
OBJECTS: Final = """
SELECT class.relname, 'column ' || class.relname || '.' || attname,
    concat_ws(' ', format_type(atttypid, atttypmod), attcollation, attnotnull, attidentity,
        pg_get_expr(adbin, adrelid, true))
FROM pg_attribute JOIN pg_class AS class ON class.oid = attrelid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE class.relnamespace = CAST(current_schema() AS regnamespace) AND class.relkind IN ('r', 'p')
  AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT owner.relname, 'index ' || class.relname,
    concat_ws(' ', pg_get_indexdef(indexrelid, 0, true), indisvalid)
FROM pg_index JOIN pg_class AS class ON class.oid = indexrelid
    JOIN pg_class AS owner ON owner.oid = indrelid
WHERE class.relnamespace = CAST(current_schema() AS regnamespace)
UNION ALL
SELECT owner.relname, 'constraint ' || conname || ' of ' || owner.relname,
    pg_get_constraintdef(pg_constraint.oid, true)
FROM pg_constraint JOIN pg_class AS owner ON owner.oid = conrelid
WHERE connamespace = CAST(current_schema() AS regnamespace)
UNION ALL
SELECT '', 'function ' || proname || '(' || pg_get_function_identity_arguments(oid) || ')',
    coalesce(pg_get_function_sqlbody(oid), prosrc)
FROM pg_proc WHERE pronamespace = CAST(current_schema() AS regnamespace)"""

_Objects = Mapping[str, tuple[str, str]]
"""The table and the definition of each object, by its name."""
_MIGRATED: Final[dict[int, _Objects]] = {}
"""As the migrations make them, by the version of the server; it takes 80 ms."""


def check_schema(connection: "Connection[Row]") -> Iterator[Problem]:
    """Holds the schema against one that is migrated for that, and rolled back: an index that is
    missing, or is not valid, is no damage to PostgreSQL. Objects of others are left out."""
    found = _objects(connection)
    wanted = _migrated(connection)
    tables = {table for table, _ in wanted.values()} - {""}
    ours = {name for name, (table, _) in found.items() if table in tables}
    for name in sorted(wanted.keys() | ours):
        if wanted.get(name) != found.get(name):
            yield problem_of("schema_differs", f"{name} is not as the migrations make it")


def _migrated(connection: "Connection[Row]") -> _Objects:
    server = connection.info.server_version
    if server not in _MIGRATED:
        with connection.transaction(force_rollback=True):
            connection.execute(SCRATCH)
            connection.execute(GO_THERE)
            migrate(connection)
            _MIGRATED[server] = _objects(connection)
    return _MIGRATED[server]


def _objects(connection: "Connection[Row]") -> _Objects:
    rows = PostgresDatabase(connection).fetch(OBJECTS)
    return {name: (table, definition) for table, name, definition in rows}
