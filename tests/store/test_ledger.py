"""The ledger on a real file: nothing acknowledged is lost, nobody pays for a neighbour."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.answers import (
    AgentEventReply,
    Answer,
    ClaimReply,
    LeaseReply,
    TaskReply,
)
from gateway.domain.kernel.errors import ApiError, ReadOnly, Unavailable
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import Idempotency
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.operations.status import Refusing
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Clocks
from gateway.ledger import TRY_EVERY, Ledger, wall_clock
from gateway.store.sqlite.migrations import migrate, newest
from gateway.store.sqlite.store import SQLiteStore, open_sqlite
from tests.domain.world import fold
from tests.launcher.conditions import until

SPEC = Spec(
    project="default",
    repo_url="https://github.com/acme/widgets",
    prompt="Add a health endpoint",
    title="Health",
    branch_name="slipgate/health",
    snapshot="agent-1",
)


@asynccontextmanager
async def opened(
    path: Path, clock: Callable[[], int] = wall_clock
) -> AsyncIterator[tuple[Ledger, SQLiteStore]]:
    async with (
        open_sqlite(path, new_instance_id=lambda: "inst_1") as store,
        Ledger(store, Policy(key_id="k1"), clock=clock).running() as ledger,
    ):
        yield ledger, store


def task_id(number: int) -> str:
    return typeid("task", wall_clock(), number)


def creation(number: int, **spec: object) -> c.CreateTask:
    return c.CreateTask(task_id=task_id(number), spec=replace(SPEC, **spec))


def claim(launcher: str = "l1", capacity: int = 1) -> c.Claim:
    here = (("local", "here"),)
    return c.Claim(launcher_id=launcher, providers=here, capacity=capacity, secret=b"s" * 32)


async def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    command = creation(1)
    async with opened(tmp_path / "slipgate.db") as (ledger, _):
        await ledger.submit(command)
    async with opened(tmp_path / "slipgate.db") as (_, store):
        found = await store.reads.task(command.task_id)
        assert found is not None
        assert found[1] == SPEC


async def test_a_row_is_the_fold_of_its_events(tmp_path: Path) -> None:
    command = creation(1, priority=9)
    async with opened(tmp_path / "slipgate.db") as (ledger, store):
        await ledger.submit(command)
        answer = await ledger.submit(claim())
        assert isinstance(answer, ClaimReply)
        (claimed,) = answer.jobs
        word = c.ReportAgentEvent(
            task_id=command.task_id,
            attempt=1,
            key_id="k1",
            type="task.progress",
            data=b'{"stage":"agent","message":"turn 1"}',
            webhook_id="msg_1",
            body_hash=b"1",
        )
        await ledger.submit(word)
        again = await ledger.submit(word)
        assert isinstance(again, AgentEventReply)
        assert again.duplicate
        found = await store.reads.task(command.task_id)
        assert found is not None
        events = await store.reads.events_of_task(command.task_id, after=0, limit=100)
        assert fold(events) == replace(found[0], clocks=Clocks(), claimable_at=None)
        assert [event.seq for event in events] == [1, 2, 3]
        assert claimed.job.id.endswith("-1-create")


async def test_many_commands_at_once_share_transactions_and_all_get_their_answer(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path / "slipgate.db") as (ledger, store):
        answers = await asyncio.gather(*(ledger.submit(creation(n)) for n in range(200)))
        assert len(answers) == 200
        assert await store.reads.counts() == {"queued": 200}


async def test_a_command_that_breaks_its_batch_fails_alone(tmp_path: Path) -> None:
    good, twice = creation(1), creation(2)
    async with opened(tmp_path / "slipgate.db") as (ledger, store):
        await ledger.submit(twice)
        outcomes = await asyncio.gather(
            ledger.submit(good),
            ledger.submit(twice),
            ledger.submit(creation(3)),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [
            TaskReply,
            sqlite3.IntegrityError,
            TaskReply,
        ]
        assert await store.reads.counts() == {"queued": 3}


async def test_a_full_queue_says_so_and_stores_nothing(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "slipgate.db", new_instance_id=lambda: "i") as store:
        idle = Ledger(store, Policy(key_id="k1"), max_queue=0)
        with pytest.raises(Unavailable):
            await idle.submit(creation(1))
        assert await store.reads.counts() == {}


async def test_nobody_waits_behind_a_batch_that_is_stuck(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    async with open_sqlite(path, new_instance_id=lambda: "inst_1") as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with Ledger(store, Policy(key_id="k1"), stuck_seconds=0.01).running() as ledger:
                first = asyncio.create_task(ledger.submit(creation(1)))
                await asyncio.sleep(0)  # it has been submitted
                await until(lambda: not ledger.waiting, "a batch")
                for number in (2, 3):
                    with pytest.raises(Unavailable):
                        await ledger.submit(creation(number))
                assert not first.done()
                other.execute("ROLLBACK")
                assert isinstance(await first, TaskReply)
                await ledger.submit(creation(4))


async def test_a_full_disk_is_unavailable_and_heals(tmp_path: Path) -> None:
    now = wall_clock()
    async with opened(tmp_path / "slipgate.db", lambda: now) as (ledger, store):
        writer = store._writer  # noqa: SLF001 - a disk is made small through the connection itself
        (pages,) = next(iter(await writer.execute_fetchall("PRAGMA page_count")))
        await writer.execute_fetchall(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(ReadOnly):
            await ledger.submit(creation(1, prompt="x" * 100_000))
        assert await store.reads.counts() == {}
        await writer.execute_fetchall("PRAGMA max_page_count = 1000000")
        with pytest.raises(ReadOnly):  # one write a second is tried
            await ledger.submit(creation(2))
        assert vars(ledger)["read_only"] == Refusing(reason="The disk is full.", since=now)
        now += TRY_EVERY
        await ledger.submit(creation(2, prompt="x" * 100_000))
        assert ledger.read_only is None
        assert await store.reads.counts() == {"queued": 1}


async def test_a_read_only_file_is_unavailable_and_heals(tmp_path: Path) -> None:
    now = wall_clock()
    async with opened(tmp_path / "slipgate.db", lambda: now) as (ledger, store):
        writer = store._writer  # noqa: SLF001 - made read-only through the connection itself
        await writer.execute_fetchall("PRAGMA query_only = ON")
        with pytest.raises(ReadOnly, match="read-only"):
            await ledger.submit(creation(1))
        assert await store.reads.counts() == {}
        await writer.execute_fetchall("PRAGMA query_only = OFF")
        now -= 3_600_000  # a clock that is put back holds up no try
        await ledger.submit(creation(2))
        assert await store.reads.counts() == {"queued": 1}


async def test_the_same_idempotency_key_gets_the_first_answer(tmp_path: Path) -> None:
    def asked(number: int, digest: bytes) -> c.CreateTask:
        key = Idempotency(
            key=("default", "POST /v1/tasks", "k"), digests={"k1": digest}, current="k1"
        )
        return replace(creation(number), idempotency=key)

    async with opened(tmp_path / "slipgate.db") as (ledger, store):
        first, second = await asyncio.gather(
            ledger.submit(asked(1, b"same")), ledger.submit(asked(2, b"same"))
        )
        third = await ledger.submit(asked(3, b"same"))
        assert isinstance(first, TaskReply)
        assert isinstance(second, TaskReply)
        assert isinstance(third, TaskReply)
        assert first.task == second.task == third.task
        assert third.replayed
        with pytest.raises(ApiError, match="idempotency_mismatch"):
            await ledger.submit(asked(4, b"other"))
        assert await store.reads.counts() == {"queued": 1}


async def test_claims_go_by_priority_and_never_give_a_job_twice(tmp_path: Path) -> None:
    async with opened(tmp_path / "slipgate.db") as (ledger, _):
        for number, priority in enumerate((1, 9, 5)):
            await ledger.submit(creation(number, priority=priority))
        answers = await asyncio.gather(*(ledger.submit(claim(f"l{n}")) for n in range(4)))
        claimed = [
            job.task.priority
            for answer in answers
            if isinstance(answer, ClaimReply)
            for job in answer.jobs
            if job.task
        ]
        assert claimed == [9, 5, 1]


async def test_a_concurrency_key_lets_one_through(tmp_path: Path) -> None:
    async with opened(tmp_path / "slipgate.db") as (ledger, _):
        for number in range(3):
            await ledger.submit(creation(number, concurrency_key="acme"))
        for launcher, wanted in (("l1", 1), ("l2", 0)):
            answer = await ledger.submit(claim(launcher, capacity=3))
            assert isinstance(answer, ClaimReply)
            assert len(answer.jobs) == wanted


async def test_a_second_gateway_on_the_same_file_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path / "slipgate.db"):
        with pytest.raises(ApiError, match="database_locked"):
            async with opened(tmp_path / "slipgate.db"):
                pass


def test_a_newer_schema_is_refused_naming_both_versions(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "new.db") as database:
        database.execute(f"PRAGMA user_version = {newest() + 1}")
        with pytest.raises(ApiError, match=f"schema {newest() + 1}.*up to {newest()}"):
            migrate(database)
    database.close()


def test_migrations_build_from_zero_once(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "new.db", isolation_level=None) as database:
        numbers = migrate(database)
        assert numbers == sorted(numbers)
        assert (numbers[0], numbers[-1]) == (1, newest())
        assert migrate(database) == []
    database.close()


async def test_what_was_submitted_is_written_even_if_the_block_is_cancelled(
    tmp_path: Path,
) -> None:
    command = creation(1)
    async with open_sqlite(tmp_path / "slipgate.db", new_instance_id=lambda: "i") as store:
        submitted: list[asyncio.Task[Answer]] = []

        async def serve() -> None:
            async with Ledger(store, Policy(key_id="k1")).running() as ledger:
                submitted.append(asyncio.create_task(ledger.submit(command)))
                await asyncio.Event().wait()

        serving = asyncio.create_task(serve())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        serving.cancel()
        await asyncio.wait({serving})
        async with asyncio.timeout(60):
            await submitted[0]
        assert await store.reads.task(command.task_id) is not None


async def test_a_ledger_that_is_torn_down_leaves_nobody_waiting(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "slipgate.db", new_instance_id=lambda: "i") as store:
        held = asyncio.Event()

        async def serve(ledger: Ledger) -> None:
            async with ledger.running():
                held.set()
                await asyncio.Event().wait()

        ledger = Ledger(store, Policy(key_id="k1"))
        serving = asyncio.create_task(serve(ledger))
        await held.wait()
        async with store.transaction():
            waiting = asyncio.create_task(ledger.submit(creation(1)))
            await asyncio.sleep(0)
            serving.cancel()
            await asyncio.sleep(0)
            serving.cancel()
            await asyncio.wait({serving})
            with pytest.raises(Unavailable):
                async with asyncio.timeout(60):
                    await waiting


async def test_a_follower_is_given_what_was_committed_before_the_caller_is_answered(
    tmp_path: Path,
) -> None:
    async with (
        open_sqlite(tmp_path / "slipgate.db", new_instance_id=lambda: "i") as store,
        Ledger(store, Policy(key_id="k1")).running() as ledger,
    ):
        told: list[str] = []
        ledger.followers.append(lambda unit: told.extend(unit.tasks.new))
        asked = asyncio.ensure_future(ledger.submit(creation(1)))
        asked.add_done_callback(lambda _: told.append("answered"))
        await asked
        assert len(told) == 2
        assert told[1] == "answered"
        assert await store.reads.task(told[0]) is not None


async def test_a_follower_that_fails_costs_nobody_an_answer(tmp_path: Path) -> None:
    def fail(_unit: UnitOfWork) -> None:
        raise RuntimeError("a follower is broken")

    told: list[str] = []
    async with (
        open_sqlite(tmp_path / "slipgate.db", new_instance_id=lambda: "i") as store,
        Ledger(store, Policy(key_id="k1")).running() as ledger,
    ):
        ledger.followers.extend((fail, lambda unit: told.extend(unit.tasks.new)))
        for number in (1, 2):
            await ledger.submit(creation(number))
    assert len(told) == 2


async def test_an_outage_moves_leases_and_clocks_that_came_due(tmp_path: Path) -> None:
    now = wall_clock()
    async with (
        open_sqlite(tmp_path / "slipgate.db", new_instance_id=lambda: "i") as store,
        Ledger(store, Policy(key_id="k1"), clock=lambda: now).running() as ledger,
    ):
        for number in range(2):
            await ledger.submit(c.CreateTask(task_id=typeid("task", now, number), spec=SPEC))
        answer = await ledger.submit(claim())
        assert isinstance(answer, ClaimReply)
        (claimed,) = answer.jobs
        await ledger.submit(c.Pulse(at=now))
        now += 2_000_000
        await ledger.submit(c.Pulse(at=now))
        assert await store.reads.due_tasks(now, 10) == []
        assert await store.reads.due_jobs(now + 59_999, 10) == []
        lease = c.RenewLease(job_id=claimed.job.id, lease_token=claimed.job.token)
        assert isinstance(await ledger.submit(lease), LeaseReply)
        assert await store.reads.counts() == {"launching": 1, "queued": 1}


async def test_a_task_whose_key_is_taken_does_not_expire(tmp_path: Path) -> None:
    now = wall_clock()
    async with (
        open_sqlite(tmp_path / "slipgate.db", new_instance_id=lambda: "i") as store,
        Ledger(store, Policy(key_id="k1"), clock=lambda: now).running() as ledger,
    ):
        spec = replace(SPEC, concurrency_key="acme")
        names = [typeid("task", now, number) for number in range(2)]
        for name in names:
            await ledger.submit(c.CreateTask(task_id=name, spec=spec))
        await ledger.submit(claim(capacity=2))
        now += 900_000
        await ledger.submit(c.TaskDue(task_id=names[1]))
        assert await store.reads.counts() == {"launching": 1, "queued": 1}


async def test_claimers_are_woken_for_work_and_not_for_a_renewal(tmp_path: Path) -> None:
    async with opened(tmp_path / "slipgate.db") as (ledger, _):
        with ledger.notifier.listen("jobs") as listener:
            await ledger.submit(creation(1))
            assert await listener.wait(0)
            answer = await ledger.submit(claim())
            assert isinstance(answer, ClaimReply)
            job = answer.jobs[0].job
            await ledger.submit(c.RenewLease(job_id=job.id, lease_token=job.token))
            assert not await listener.wait(0)


async def test_claimers_are_woken_when_a_concurrency_key_is_free_again(tmp_path: Path) -> None:
    first, second = creation(1, concurrency_key="k"), creation(2, concurrency_key="k")
    end = c.ReportAgentEvent(
        task_id=first.task_id,
        attempt=1,
        key_id="k1",
        type="task.completed",
        data=b"{}",
        webhook_id="msg_1",
        body_hash=b"1",
    )
    async with opened(tmp_path / "slipgate.db") as (ledger, _):
        await ledger.submit(first)
        await ledger.submit(second)
        await ledger.submit(claim(capacity=2))
        with ledger.notifier.listen("jobs") as listener:
            await ledger.submit(end)
            assert await listener.wait(0)
        answer = await ledger.submit(claim(capacity=2))
        assert isinstance(answer, ClaimReply)
        assert [claimed.job.task_id for claimed in answer.jobs] == [second.task_id]
