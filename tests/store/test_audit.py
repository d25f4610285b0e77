"""The audit sees each broken promise: each of its checks is shown a database that breaks it."""

# ruff: noqa: S608 - what is put into a statement here is a constant

import asyncio
import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import Final, get_args

import pytest

from gateway.domain.invariants.task_rows import ProblemName
from gateway.domain.kernel.errors import ApiError
from gateway.store.sql.admin.audit import SHOWN, Audit
from gateway.store.sqlite.admin.audit import audit
from tests.store.old import EVENTS, SCHEMAS, TASKS, make_old
from tests.store.test_ledger import creation, opened

WHERE: Final = "task_id = (SELECT id FROM tasks WHERE status = '{}')"
COMPLETED: Final = WHERE.format("completed")
RUNNING: Final = WHERE.format("running")
LAUNCHING: Final = WHERE.format("launching")
NEW_WORD: Final = f"""
INSERT INTO events (seq, task_id, task_seq, attempt, type, at, applied, source, data)
SELECT seq + 100, task_id, task_seq + 1, 1, 'task.progress', at, 1, 'agent', '{{}}'
FROM events WHERE {RUNNING} ORDER BY task_seq DESC LIMIT 1"""
API_KEY: Final = f"slip_ops_{'a' * 43}"
SIGNING_SECRET: Final = f"whsec_{'a' * 43}="

DAMAGES: Final[tuple[tuple[ProblemName, str], ...]] = (
    ("never_due", "UPDATE tasks SET due_at = NULL, clocks = '{}' WHERE status = 'queued'"),
    ("wrong_due_time", "UPDATE tasks SET due_at = due_at + 1 WHERE status = 'running'"),
    ("claimable_after_end", "UPDATE tasks SET claimable_at = 1 WHERE status = 'completed'"),
    ("never_claimable", "UPDATE tasks SET claimable_at = NULL WHERE status = 'queued'"),
    ("row_differs", "UPDATE tasks SET pr_url = NULL WHERE status = 'completed'"),
    ("row_differs", "UPDATE tasks SET attempt = 1 WHERE status = 'running'"),
    ("row_unreadable", "UPDATE tasks SET usage = '{' WHERE status = 'completed'"),
    ("row_unreadable", "UPDATE tasks SET status = 'lost' WHERE status = 'completed'"),
    ("row_unreadable", f"UPDATE attempts SET usage = '[]' WHERE {COMPLETED}"),
    ("no_events", f"DELETE FROM events WHERE {COMPLETED}"),
    ("no_task", "DELETE FROM tasks WHERE status = 'completed'"),
    ("no_task", "UPDATE events SET task_id = 'task_~' WHERE type = 'task.completed'"),
    ("gap_in_task_seq", f"DELETE FROM events WHERE {COMPLETED} AND task_seq = 3"),
    ("gap_in_task_seq", f"UPDATE events SET task_seq = 99 WHERE {COMPLETED} AND task_seq = 9"),
    ("own_event_torn", "INSERT INTO own_events (seq, project, deliveries) VALUES (1, 'p', 0)"),
    ("seq_not_increasing", f"UPDATE events SET seq = -seq WHERE {COMPLETED} AND task_seq = 3"),
    ("event_unreadable", "UPDATE events SET data = '[]' WHERE type = 'task.progress'"),
    ("event_unreadable", "UPDATE events SET type = 'task.lost' WHERE type = 'task.created'"),
    ("secret_in_event", f"UPDATE events SET data = '{API_KEY}' WHERE type = 'task.log'"),
    ("secret_in_event", f"UPDATE events SET data = '{SIGNING_SECRET}' WHERE applied = 0"),
    (
        "webhook_twice",
        "DROP INDEX events_heard; UPDATE events SET webhook_id = 'm' WHERE source = 'agent'",
    ),
    ("word_after_end", "UPDATE events SET applied = 1 WHERE applied = 0"),
    ("stale_word", NEW_WORD),
    (
        "forbidden_transition",
        "UPDATE events SET type = 'task.expired' WHERE type = 'task.needs_review'",
    ),
    (
        "two_sandboxes",
        f"UPDATE events SET type = 'task.log' WHERE type = 'sandbox.destroyed' AND {RUNNING}",
    ),
    ("sandbox_forgotten", f"UPDATE attempts SET tried_at = NULL WHERE {RUNNING}"),
    ("sandbox_forgotten", f"UPDATE attempts SET gone_at = 1 WHERE {RUNNING} AND number = 2"),
    ("attempt_missing", f"DELETE FROM attempts WHERE {RUNNING} AND number = 2"),
    ("attempt_missing", f"UPDATE jobs SET attempt = 7 WHERE {RUNNING}"),
    ("attempt_unopened", f"UPDATE attempts SET number = 3 WHERE {RUNNING} AND number = 2"),
    ("no_destroy_job", "UPDATE jobs SET closed_at = 1 WHERE kind = 'destroy'"),
    ("no_destroy_job", f"UPDATE attempts SET gone_at = NULL WHERE {RUNNING} AND number = 1"),
    ("job_left_open", f"UPDATE jobs SET closed_at = NULL WHERE kind = 'create' AND {COMPLETED}"),
    ("nobody_launches", f"UPDATE jobs SET closed_at = 1 WHERE kind = 'create' AND {LAUNCHING}"),
    ("delivery_missing", "DELETE FROM deliveries WHERE task_seq = 3"),
    ("delivery_missing", "UPDATE subscriptions SET event_types = '[\"*\"]'"),
    ("delivery_unasked", "UPDATE subscriptions SET event_types = '[]'"),
    ("delivery_unasked", "UPDATE subscriptions SET after_seq = 1000000"),
    (
        "delivery_of_refused",
        "UPDATE deliveries SET seq = (SELECT seq FROM events WHERE applied = 0) WHERE task_seq = 3",
    ),
    ("delivery_differs", "UPDATE deliveries SET task_seq = 99 WHERE task_seq = 3"),
    ("delivery_state", "UPDATE deliveries SET status = 'lost' WHERE task_seq = 3"),
    ("delivery_state", "UPDATE deliveries SET next_attempt_at = NULL WHERE task_seq = 3"),
    (
        "delivery_state",
        "UPDATE deliveries SET status = 'delivered', next_attempt_at = NULL, attempts = 0",
    ),
    ("patch_torn", "UPDATE events SET type = 'task.patch' WHERE type = 'task.log'"),
    (
        "patch_torn",
        """INSERT INTO patch_pieces (task_id, task_seq, attempt, revision, start, length, chunk)
        SELECT id, 1, 1, 1, 0, 1, x'2b' FROM tasks""",
    ),
    ("integrity", "UPDATE tasks SET priority = 77 WHERE status = 'queued'"),
    ("foreign_key", "DELETE FROM endpoints"),
    ("schema_differs", "DROP INDEX events_heard"),
    ("schema_differs", "CREATE TABLE notes (text TEXT)"),
    ("ledger_behind", "UPDATE ledger SET seq = seq - 1"),
    ("ledger_behind", "UPDATE ledger SET seq = seq + 1"),
    # A task of which nothing is left: only the numbers of its events are missing.
    (
        "events_lost",
        """DELETE FROM events WHERE task_id IN (SELECT id FROM tasks WHERE status = 'cancelled');
        DELETE FROM tasks WHERE status = 'cancelled'""",
    ),
    ("counts_differ", "UPDATE task_groups SET count = count + 1 WHERE kind = 'state'"),
    ("counts_differ", "INSERT INTO task_groups VALUES ('flag', 0, 'a', '', 'silent', 1, 0, NULL)"),
    ("unknown_key", "UPDATE attempts SET key_id = 'k0'"),
    ("unknown_key", "UPDATE task_secrets SET key_id = 'k0'"),
    ("unknown_key", "UPDATE projects SET key_id = 'k0'"),
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "slipgate.db"
    make_old(path, SCHEMAS[-1])
    return path


def damage(path: Path, script: str) -> None:
    """Changes what the database itself would refuse."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.executescript(script)


def names(found: Audit) -> set[str]:
    return {problem.partition(" ")[0] for problem in found.problems}


def test_a_sound_database_has_no_problems(database: Path) -> None:
    found = audit(database, key_ids={"k1"})
    assert (found.problems, found.total) == ((), 0)
    assert (found.tasks, found.events) == (TASKS, EVENTS)


@pytest.mark.parametrize(("name", "script"), DAMAGES, ids=[name for name, _ in DAMAGES])
def test_a_broken_promise_is_named(database: Path, name: str, script: str) -> None:
    damage(database, script)
    assert name in names(audit(database, key_ids={"k1"}))


def test_there_is_no_check_that_was_never_seen_to_fail() -> None:
    assert {name for name, _ in DAMAGES} == set(get_args(ProblemName))


def test_a_damaged_file_is_named_as_such(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with database.open("r+b") as file:
        file.seek(2 * size)
        file.write(b"\xff" * 20 * size)
    assert "integrity" in names(audit(database))


def test_keys_are_only_looked_for_if_they_are_given(database: Path) -> None:
    assert "unknown_key" in names(audit(database, key_ids={"k2"}))
    assert audit(database).problems == ()


def test_many_problems_of_a_kind_are_counted_and_not_all_listed(database: Path) -> None:
    damage(database, "DELETE FROM deliveries")
    found = audit(database)
    told = [problem for problem in found.problems if problem.startswith("delivery_missing")]
    assert len(told) == SHOWN + 1
    assert told[-1] == f"delivery_missing: {found.total - SHOWN} more"


async def test_one_moment_is_read_while_the_ledger_goes_on_writing(tmp_path: Path) -> None:
    path = tmp_path / "slipgate.db"
    async with opened(path) as (ledger, _):
        await ledger.submit(creation(0))
        writing = asyncio.gather(*(ledger.submit(creation(n)) for n in range(1, 3_000)))
        await asyncio.sleep(0)
        audits = [await asyncio.to_thread(audit, path) for _ in range(3)]
        await writing
    assert [found.problems for found in audits] == [(), (), ()]


async def test_its_memory_does_not_grow_with_the_number_of_tasks(tmp_path: Path) -> None:
    peaks = []
    for count in (100, 2_000):
        path = tmp_path / f"{count}.db"
        async with opened(path) as (ledger, _):
            await asyncio.gather(*(ledger.submit(creation(n)) for n in range(count)))
        tracemalloc.start()
        assert audit(path).tasks == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000


def test_a_database_of_an_older_schema_is_not_judged_by_the_rules_of_this_one(
    tmp_path: Path,
) -> None:
    make_old(tmp_path / "old.db", SCHEMAS[0])
    with pytest.raises(ApiError, match=f"schema {SCHEMAS[0]}, this program reads {SCHEMAS[-1]}"):
        audit(tmp_path / "old.db")
