"""The audit of a PostgreSQL database names damage, and leaves nothing behind."""

from collections.abc import Iterator

import psycopg
import pytest

from gateway.domain.kernel.errors import ApiError
from gateway.store.postgres.admin.audit import audit
from gateway.store.postgres.opening import prepare
from tests.postgres.databases import new_database

SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY nspname"


@pytest.fixture
def url() -> Iterator[str]:
    with new_database() as address:
        prepare(address, None, lambda: "ins_1", take_over=False)
        yield address


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("DROP INDEX tasks_due", "index tasks_due"),
        ("ALTER TABLE jobs DROP CONSTRAINT jobs_task_id_fkey", "constraint jobs_task_id_fkey"),
        ("ALTER TABLE tasks ALTER COLUMN snapshot DROP NOT NULL", "column tasks.snapshot"),
        ("ALTER TABLE tasks ADD COLUMN more text", "column tasks.more"),
        (
            """CREATE OR REPLACE FUNCTION instr(document text, part text) RETURNS bigint
            LANGUAGE sql IMMUTABLE RETURN 1::bigint""",
            "function instr",
        ),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'tasks_due'::regclass",
            "index tasks_due",
        ),
        ("UPDATE ledger SET seq = 1", "it counts 1 events"),
        (
            """INSERT INTO projects (name, key_id, callback_secret, created_at)
            VALUES ('p', 'k0', 'x', 1)""",
            "need master key k0",
        ),
    ],
)
def test_damage_is_named(url: str, damage: str, named: str) -> None:
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(damage.encode())
    found = audit(url, key_ids=("k1",))
    assert found.total >= 1
    assert named in found.problems[0]


def test_a_newer_schema_is_for_the_newer_program_to_check(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("UPDATE schema_version SET number = number + 1")
    with pytest.raises(ApiError, match="newer_schema"):
        audit(url)


def test_what_others_keep_in_the_database_is_none_of_ours(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("CREATE TABLE notes (text text UNIQUE)")
        database.execute("CREATE FUNCTION one() RETURNS int LANGUAGE sql RETURN 1")
        before = database.execute(SCHEMAS).fetchall()
        assert audit(url).problems == ()
        assert database.execute(SCHEMAS).fetchall() == before
