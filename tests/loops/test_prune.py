"""Retention on a real file: whole tasks that have ended, and nothing of which more may come."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.answers import Accepted, Answer
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import Command
from gateway.domain.sources.message import Message, PullRequestNotice
from gateway.ledger import Ledger
from gateway.loops.prune import EVENTS, PAUSE, Pruner
from gateway.store.sqlite.admin.audit import audit
from gateway.store.sqlite.store import SQLiteStore, open_sqlite
from tests.store.old import SCHEMAS, TASKS, make_old
from tests.store.test_ledger import SPEC, claim

DAY: Final = 86_400_000
ENDED: Final = ("completed", "needs_review", "cancelled")


@dataclass(kw_only=True)
class PrunedStore:
    """A ledger on a file, its pruner, and a clock that is set by hand."""

    path: Path
    now: int
    proposed: list[c.Prune] = field(default_factory=list)
    store: SQLiteStore = field(init=False)
    ledger: Ledger = field(init=False)
    pruner: Pruner = field(init=False)

    async def submit(self, command: Command) -> Answer:
        """Remembers what the pruner proposes."""
        if isinstance(command, c.Prune):
            self.proposed.append(command)
        return await self.ledger.submit(command)

    async def prune(self, days: float) -> None:
        """One pass, so many days later."""
        self.now += round(days * DAY)
        while await self.pruner.step() == PAUSE:
            pass

    def execute(self, script: str) -> None:
        """Changes the file beside the gateway."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.executescript(script)

    def count(self, statement: str) -> int:
        """One number."""
        with closing(sqlite3.connect(self.path)) as database:
            return int(database.execute(statement).fetchone()[0])


@asynccontextmanager
async def opened_store(path: Path, now: int) -> AsyncIterator[PrunedStore]:
    keep = PrunedStore(path=path, now=now)
    async with (
        open_sqlite(path, new_instance_id=lambda: "ins_1") as keep.store,
        Ledger(keep.store, Policy(key_id="k1"), clock=lambda: keep.now).running() as keep.ledger,
    ):
        keep.pruner = Pruner(keep.store.reads, keep.submit, lambda: keep.now, retention=30 * DAY)
        yield keep


@pytest.fixture
async def old(tmp_path: Path) -> AsyncIterator[PrunedStore]:
    """Six tasks in six states, all as old as each other."""
    path = tmp_path / "slipgate.db"
    make_old(path, SCHEMAS[-1])
    with closing(sqlite3.connect(path)) as database:
        (now,) = database.execute("SELECT max(updated_at) FROM tasks").fetchone()
    async with opened_store(path, now) as keep:
        yield keep


async def left(keep: PrunedStore) -> set[str]:
    """The states of the tasks that are still there."""
    return set(await keep.store.reads.counts())


async def test_nothing_is_deleted_before_its_time(old: PrunedStore) -> None:
    await old.prune(days=29.9)
    assert sum((await old.store.reads.counts()).values()) == TASKS


async def test_a_clock_that_was_set_back_does_not_silence_it(old: PrunedStore) -> None:
    await old.prune(days=1)
    passes = len(old.proposed)
    await old.prune(days=0)
    assert len(old.proposed) == passes
    await old.prune(days=-0.5)
    assert len(old.proposed) > passes


async def test_only_ended_tasks_that_owe_nothing_and_have_no_sandbox_go(old: PrunedStore) -> None:
    await old.prune(days=30.1)
    # The completed one still owes deliveries, the one to review has a sandbox that may be alive.
    assert await left(old) == {"completed", "needs_review", "queued", "launching", "running"}
    assert audit(old.path).problems == ()


@pytest.mark.parametrize(
    ("script", "goes"),
    [
        ("UPDATE deliveries SET status = 'delivered', attempts = 1, next_attempt_at = NULL", True),
        ("UPDATE deliveries SET status = 'dead', attempts = 10, next_attempt_at = NULL", True),
        ("UPDATE deliveries SET status = 'held', next_attempt_at = NULL", False),
        ("UPDATE deliveries SET attempts = 3", False),
    ],
    ids=["delivered", "dead", "held", "pending"],
)
async def test_a_task_stays_until_its_last_delivery_is_settled(
    old: PrunedStore, script: str, goes: bool
) -> None:
    old.execute(script)
    await old.prune(days=30.1)
    assert ("completed" not in await left(old)) == goes
    assert audit(old.path).problems == ()


async def test_a_task_goes_with_everything_that_is_kept_of_it(old: PrunedStore) -> None:
    old.execute("UPDATE deliveries SET status = 'delivered', attempts = 1, next_attempt_at = NULL")
    newest = old.count(
        "SELECT max(seq) FROM events WHERE task_id IN "
        "(SELECT id FROM tasks WHERE status IN ('completed', 'cancelled'))"
    )
    await old.prune(days=30.1)
    for table in ("deliveries", "delivery_attempts", "task_metadata"):
        assert old.count(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - a constant
    for table in ("events", "attempts", "jobs", "task_secrets"):
        orphans = f"SELECT count(*) FROM {table} WHERE task_id NOT IN (SELECT id FROM tasks)"  # noqa: S608 - a constant
        assert old.count(orphans) == 0
    assert [await old.store.reads.pruned(name) for name in ("default", None)] == [newest, newest]
    assert await old.store.reads.pruned("elsewhere") == 0


async def test_a_feed_that_was_cut_never_grows_back(old: PrunedStore) -> None:
    await old.prune(days=30.1)
    cut = await old.store.reads.pruned("default")
    old.execute("UPDATE deliveries SET status = 'delivered', attempts = 1, next_attempt_at = NULL")
    await old.prune(days=1)
    # The completed task is older than the cancelled one that went first.
    assert await old.store.reads.pruned("default") == cut > 0


async def test_an_env_is_erased_a_day_after_the_end_and_no_other_is(old: PrunedStore) -> None:
    kept = "SELECT count(*) FROM task_secrets WHERE env IS NOT NULL"
    await old.prune(days=0.9)
    assert old.count(kept) == 2
    await old.prune(days=0.2)
    assert old.count(kept) == 1
    assert old.count("SELECT count(*) FROM task_secrets WHERE callback_url IS NOT NULL") == 1
    assert old.count("SELECT count(*) FROM task_secrets WHERE env_erased_at IS NOT NULL") == 1


async def test_a_task_that_was_retried_meanwhile_keeps_everything(old: PrunedStore) -> None:
    (name,) = [
        task.id
        for task, _ in await old.store.reads.tasks(
            [row[0] for row in await old.store.reads.old_tasks("", "task_~", 10)]
        )
        if task.status == "cancelled"
    ]
    old.now += 31 * DAY
    retry = c.RetryTask(task_id=name, project=None)
    prune = c.Prune(at=old.now, env_of=(name,), tasks=(name,), ended_before=old.now)
    await asyncio.gather(old.ledger.submit(retry), old.ledger.submit(prune))
    await old.ledger.submit(prune)
    found = await old.store.reads.task(name)
    assert found is not None
    assert found[0].status == "queued"
    assert audit(old.path).problems == ()


async def test_what_comes_in_the_same_batch_as_the_deletion_finds_no_task(old: PrunedStore) -> None:
    ids = [row[0] for row in await old.store.reads.old_tasks("", "task_~", 10)]
    prune = c.Prune(at=old.now, tasks=tuple(ids), ended_before=old.now)
    (gone,) = {
        task.id for task, _ in await old.store.reads.tasks(ids) if task.status == "cancelled"
    }
    answers = await asyncio.gather(
        old.ledger.submit(prune),
        old.ledger.submit(c.RetryTask(task_id=gone, project=None)),
        return_exceptions=True,
    )
    assert answers[0] == Accepted()
    assert getattr(answers[1], "code", None) == "not_found"
    assert audit(old.path).problems == ()


async def test_many_old_tasks_are_deleted_a_little_at_a_time(tmp_path: Path) -> None:
    now = 1_790_000_000_000
    async with opened_store(tmp_path / "slipgate.db", now) as keep:
        names = [typeid("task", now, number) for number in range(1_500)]
        spec = replace(SPEC, callback_url=None)
        await asyncio.gather(
            *(keep.ledger.submit(c.CreateTask(task_id=name, spec=spec)) for name in names)
        )
        cancels = (c.CancelTask(task_id=name, project=None) for name in names)
        await asyncio.gather(*map(keep.ledger.submit, cancels))
        keep.now += 31 * DAY
        young = typeid("task", keep.now, 1)
        await keep.ledger.submit(c.CreateTask(task_id=young, spec=spec))
        events = (await keep.store.reads.task(names[0]) or [None])[0]
        assert events is not None
        await keep.prune(days=0)
        assert await keep.store.reads.counts() == {"queued": 1}
        assert max(len(prune.tasks) for prune in keep.proposed) * events.seq <= EVENTS
        assert audit(keep.path).problems == ()
        keep.proposed.clear()
        await keep.prune(days=1)
        assert sum(len(prune.tasks) for prune in keep.proposed) == 0


async def test_a_task_with_many_events_goes_alone(tmp_path: Path) -> None:
    now = 1_790_000_000_000
    async with opened_store(tmp_path / "slipgate.db", now) as keep:
        names = [typeid("task", now, number) for number in range(3)]
        for name in names:
            await keep.ledger.submit(c.CreateTask(task_id=name, spec=SPEC))
            await keep.ledger.submit(c.CancelTask(task_id=name, project=None))
        long = f"UPDATE tasks SET seq = {EVENTS} WHERE id = '{names[1]}'"  # noqa: S608 - a constant
        keep.execute(long)
        await keep.prune(days=31)
        assert [prune.tasks for prune in keep.proposed] == [(name,) for name in names]


async def test_launchers_that_no_longer_call_and_first_answers_go_after_a_day(
    old: PrunedStore,
) -> None:
    await old.prune(days=0.5)
    await old.ledger.submit(claim("l-new"))
    launchers, answers = "SELECT count(*) FROM launchers", "SELECT count(*) FROM idempotency"
    assert (old.count(launchers), old.count(answers)) == (3, 1)
    await old.prune(days=0.6)
    assert (old.count(launchers), old.count(answers)) == (1, 0)


async def test_more_first_answers_than_one_step_deletes_all_go_in_one_pass(
    old: PrunedStore,
) -> None:
    old.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)"
        "INSERT INTO idempotency SELECT project, operation, i, key_id, digest, answer, at "
        "FROM n JOIN idempotency WHERE key = 'same'"
    )
    await old.prune(days=1.1)
    assert old.count("SELECT count(*) FROM idempotency") == 0
    assert len(old.proposed) == 3


async def test_between_two_passes_nothing_is_read(old: PrunedStore) -> None:
    await old.prune(days=1)
    assert await old.pruner.step() == 600.0
    assert len(old.proposed) == 1


async def test_a_message_of_a_service_is_known_again_for_seven_days(old: PrunedStore) -> None:
    message = Message(source="github", id="d1", body_hash="00")
    notice = PullRequestNotice(message=message, url="https://github.com/a/b/pull/1", is_merged=True)
    await old.ledger.submit(notice)
    for days, kept in ((6.9, 1), (0.2, 0)):
        await old.prune(days=days)
        assert old.count("SELECT count(*) FROM source_messages") == kept


async def test_secrets_that_are_over_and_jobs_that_nobody_asks_for_go(old: PrunedStore) -> None:
    old.execute(
        """
        INSERT INTO signing_secrets VALUES ('sec_1', 'default', NULL, 'k1', x'01', 1, 1);
        INSERT INTO signing_secrets VALUES ('sec_2', 'default', NULL, 'k1', x'01', 1, NULL);
        UPDATE projects SET expires_at = 1;
        INSERT INTO replays
        SELECT 'rpl_1', 'replay', id, 'default', 1, 1, 0, 0, 0, 1, 0, 'done', NULL, 1, 1, 1
        FROM endpoints LIMIT 1;
        INSERT INTO replays
        SELECT 'rpl_2', 'replay', id, 'default', 1, 1, 0, 0, 0, 1, 0, 'running', NULL, 1, 1, NULL
        FROM endpoints LIMIT 1"""
    )
    await old.prune(days=31)
    assert old.count("SELECT count(*) FROM signing_secrets") == 1
    assert old.count("SELECT count(*) FROM signing_secrets WHERE id = 'sec_2'") == 1
    assert old.count("SELECT count(*) FROM projects WHERE callback_secret <> x''") == 0
    assert old.count("SELECT count(*) FROM replays") == 1
