"""The store's own promises: what is written is read again, whole or not at all."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.errors import Unavailable
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.kernel.unit_of_work import Pruning, TaskSecrets, UnitOfWork
from gateway.domain.launching.job import Job
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import (
    TERMINAL,
    Attempt,
    Clocks,
    Flag,
    Sandbox,
    Status,
    Task,
    TaskError,
    Timeouts,
    Usage,
)
from gateway.store.sql.admin.master_keys import keys_needed
from gateway.store.sqlite.admin.database import SQLiteDatabase
from gateway.store.sqlite.store import SQLiteStore, open_sqlite

POLICY = Policy(key_id="k1")
FILE = "a ?#%b.db"
HERE = ("local", "here")

PLAIN = Task(
    id="task_1",
    project="default",
    status=Status.QUEUED,
    attempt=1,
    max_attempts=1,
    seq=1,
    created_at=1_000,
    updated_at=1_000,
    timeouts=Timeouts(),
    claimable_at=1_000,
    clocks=Clocks(queue=901_000),
)
SANDBOX = Sandbox(name="slipgate-1", provider="local", realm="here", id="s1", state="started")
ERROR = TaskError(stage="agent", code="agent_silent", message="Stille…", retryable=True)
FULL = Task(
    id="task_2",
    project="acme",
    status=Status.FAILED,
    attempt=3,
    max_attempts=4,
    seq=1,
    created_at=1_000,
    updated_at=2_000,
    timeouts=Timeouts(queue=1, heartbeat=2, run=3),
    on_stall="retry",
    priority=9,
    snapshot="agent-1",
    provider="local",
    concurrency_key="acme/widgets",
    keep_sandbox=True,
    endpoint_id=None,
    started_at=1_100,
    finished_at=1_900,
    cancel_requested_at=1_800,
    stage="push",
    message="turn 7 of 60",
    pr_url="https://github.com/acme/widgets/pull/1",
    commit_sha="c0ffee",
    error=ERROR,
    usage=Usage(input_tokens=1, output_tokens=2, cost_usd=0.5, turns=3),
    sandbox=SANDBOX,
    flags=(Flag(code="sandbox_unconfirmed", since=1_900, detail="still there"),),
    clocks=Clocks(cleanup=5_000),
)
ATTEMPT = Attempt(
    task_id="task_2",
    number=3,
    key_id="k1",
    opened_at=1_000,
    provider="local",
    realm="here",
    sandbox=SANDBOX,
    launches=2,
    queue_left=9_000,
    tried_at=1_010,
    create_before=1_040,
    first_event_at=1_050,
    gone_at=1_990,
    missing_since=1_980,
    spool_offset=77,
    inspections=4,
    refused=5,
    ended_at=1_900,
    outcome="failed",
    error=ERROR,
    usage=Usage(turns=3),
)
JOB = Job(
    id="job_2-3-destroy",
    kind="destroy",
    task_id="task_2",
    attempt=3,
    provider="local",
    realm="here",
    not_before=1_900,
    lease=2,
    leased_by="l1",
    lease_expires_at=2_500,
    renewed=True,
    is_delegated=True,
    offers=6,
    error=ERROR,
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with open_sqlite(tmp_path / FILE, new_instance_id=lambda: "inst_1") as opened:
        yield opened


def needed(folder: Path) -> dict[str, dict[str, int]]:
    with closing(sqlite3.connect(folder / FILE)) as file:
        return keys_needed(SQLiteDatabase(file))


def birth(task: Task, **fields: object) -> Event:
    spec = b'{"project":"p","repoUrl":"r","prompt":"x","title":"t","branchName":"b"}'
    event = Event(
        task_id=task.id,
        task_seq=1,
        attempt=1,
        type="task.created",
        at=task.created_at,
        source="api",
        data=spec,
    )
    return replace(event, **fields)


async def write(store: SQLiteStore, *tasks: Task, jobs: tuple[Job, ...] = ()) -> None:
    async with store.transaction() as batch:
        view = UnitOfWork(policy=POLICY)
        for task in tasks:
            view.tasks.create(task)
            view.events.put(birth(task))
        for job in jobs:
            view.jobs.put(job)
        await batch.write(view)


async def write_view(store: SQLiteStore, view: UnitOfWork) -> None:
    async with store.transaction() as batch:
        await batch.write(view)


async def load(store: SQLiteStore, needs: ReadSet, *, now: int = 10_000) -> UnitOfWork:
    async with store.transaction() as batch:
        return await batch.load([needs], POLICY, now)


def claim(*providers: tuple[str, str], capacity: int = 10) -> ReadSet:
    wanted = providers or (HERE,)
    return c.Claim(launcher_id="l1", providers=wanted, capacity=capacity, secret=b"s" * 32).needs


@pytest.mark.parametrize("task", [PLAIN, FULL], ids=["mostly defaults", "every field"])
async def test_a_task_is_read_as_it_was_written(store: SQLiteStore, task: Task) -> None:
    await write(store, task)
    assert (await load(store, ReadSet(tasks=(task.id,)))).tasks == {task.id: task}


async def test_a_changed_task_is_read_as_it_was_changed(store: SQLiteStore) -> None:
    await write(store, replace(PLAIN, id=FULL.id))
    changed = replace(
        FULL,
        project=PLAIN.project,
        max_attempts=1,
        created_at=PLAIN.created_at,
        timeouts=PLAIN.timeouts,
        on_stall="flag",
        priority=5,
        snapshot="",
        provider=None,
        concurrency_key=None,
        keep_sandbox=False,
    )
    async with store.transaction() as batch:
        view = UnitOfWork(policy=POLICY)
        view.tasks.put(changed)
        await batch.write(view)
    assert (await load(store, ReadSet(tasks=(FULL.id,)))).tasks[FULL.id] == changed


async def test_a_job_brings_its_task_and_attempt(store: SQLiteStore) -> None:
    await write(store, FULL)
    async with store.transaction() as batch:
        view = UnitOfWork(policy=POLICY)
        view.attempts.put(ATTEMPT)
        view.jobs.put(JOB)
        await batch.write(view)
    loaded = await load(store, ReadSet(jobs=(JOB.id,)))
    assert loaded.jobs == {JOB.id: JOB}
    assert loaded.tasks == {FULL.id: FULL}
    assert loaded.attempts == {(FULL.id, 3): ATTEMPT}


async def test_the_lease_of_a_job_only_grows(store: SQLiteStore) -> None:
    await write(store, FULL, jobs=(JOB,))
    async with store.transaction() as batch:
        view = UnitOfWork(policy=POLICY)
        view.jobs.put(replace(JOB, lease=0, leased_by=None, lease_expires_at=None))
        await batch.write(view)
    assert (await load(store, ReadSet(jobs=(JOB.id,)))).jobs[JOB.id].lease == 2


async def test_claims_go_by_priority_and_then_by_age(store: SQLiteStore) -> None:
    waiting = [(5, 30), (9, 20), (5, 10), (0, 1), (9, 10_001)]
    tasks = [
        replace(PLAIN, id=f"task_{number}", priority=priority, claimable_at=at)
        for number, (priority, at) in enumerate(waiting)
    ]
    await write(store, *tasks)
    claims = (await load(store, claim())).claims
    assert list(claims.claimable) == ["task_1", "task_2", "task_0", "task_3"]
    assert list((await load(store, claim(capacity=2))).claims.claimable) == ["task_1", "task_2"]


async def test_a_sandbox_that_may_exist_belongs_to_its_realm(store: SQLiteStore) -> None:
    await write(store, PLAIN)
    async with store.transaction() as batch:
        view = UnitOfWork(policy=POLICY)
        view.attempts.put(replace(ATTEMPT, task_id=PLAIN.id, number=1))
        await batch.write(view)
    assert list((await load(store, claim(("local", "elsewhere")))).claims.claimable) == []
    claims = (await load(store, claim(("local", "elsewhere"), HERE))).claims
    assert list(claims.claimable) == [PLAIN.id]


async def test_a_named_provider_binds(store: SQLiteStore) -> None:
    await write(store, replace(PLAIN, provider="docker"))
    assert list((await load(store, claim())).claims.claimable) == []
    assert list((await load(store, claim(("docker", "any")))).claims.claimable) == [PLAIN.id]


async def test_jobs_about_a_sandbox_are_offered_to_its_realm_when_due(store: SQLiteStore) -> None:
    free = replace(JOB, leased_by=None, lease_expires_at=None, is_delegated=False)
    later = replace(free, id="job_later", not_before=10_001)
    closed = replace(free, id="job_closed", closed_at=5)
    await write(store, FULL, jobs=(free, later, closed))
    assert list((await load(store, claim())).claims.offered) == [free.id]
    assert list((await load(store, claim(("local", "elsewhere")))).claims.offered) == []


async def test_of_the_jobs_of_several_realms_the_oldest_are_offered(store: SQLiteStore) -> None:
    free = replace(JOB, leased_by=None, lease_expires_at=None, is_delegated=False)
    ages = {"a": [5, 1, 9, *range(20, 30)], "b": [2, 3, 10_001], "c": [0]}
    jobs = [
        replace(free, id=f"job_{realm}{age}", realm=realm, not_before=age)
        for realm, of_realm in ages.items()
        for age in of_realm
    ]
    await write(store, FULL, jobs=tuple(jobs))
    offered = (await load(store, claim(("local", "a"), ("local", "b")))).claims.offered
    expected = ["a1", "b2", "b3", "a5", "a9", *(f"a{age}" for age in range(20, 25))]
    assert list(offered) == [f"job_{name}" for name in expected]


async def test_a_claim_that_waits_is_told_when_something_of_its_own_comes_due(
    store: SQLiteStore,
) -> None:
    free = replace(JOB, leased_by=None, lease_expires_at=None, is_delegated=False)
    await write(store, FULL, jobs=(replace(free, not_before=2_000),))
    assert await store.reads.next_claimable([HERE], 1_999) == 2_000
    assert await store.reads.next_claimable([HERE], 2_000) is None
    assert await store.reads.next_claimable([("local", "elsewhere")], 1_999) is None
    await write(store, replace(PLAIN, priority=0, claimable_at=1_500))
    assert await store.reads.next_claimable([HERE], 1_499) == 1_500


async def test_a_claim_sees_what_its_launcher_holds(store: SQLiteStore) -> None:
    await write(store, FULL, jobs=(JOB,))
    loaded = await load(store, claim())
    assert loaded.claims.offered == {}
    assert loaded.jobs == {JOB.id: JOB}


async def test_a_webhook_heard_before_is_found_among_others(store: SQLiteStore) -> None:
    await write(store, PLAIN)
    async with store.transaction() as batch:
        view = UnitOfWork(policy=POLICY)
        for number in range(2, 5):
            word = birth(
                PLAIN,
                task_seq=number,
                type="task.heartbeat",
                webhook_id=f"msg_{number}",
                body_hash=bytes([number]),
            )
            view.events.put(word)
        await batch.write(view)
    asked = ((PLAIN.id, 1, "msg_3"), (PLAIN.id, 2, "msg_3"), (PLAIN.id, 1, "msg_9"))
    seen = (await load(store, ReadSet(webhooks=asked))).events.seen
    assert seen == {(PLAIN.id, 1, "msg_3"): b"\3"}


async def test_numbers_follow_the_order_of_commits_without_a_gap(store: SQLiteStore) -> None:
    await write(store, PLAIN)
    broken = replace(FULL, id="task_2", status=Status.QUEUED, clocks=Clocks())
    with pytest.raises(sqlite3.IntegrityError):
        await write(store, replace(FULL, id="task_1b"), broken)
    await write(store, replace(FULL, id="task_3"))
    events = (await store.reads.events_of_project(None, after=0, limit=10)).events
    assert [(event.seq, event.task_id) for event in events] == [(1, "task_1"), (2, "task_3")]
    assert (await load(store, ReadSet(tasks=("task_1b", "task_2")))).tasks == {}


async def test_a_number_within_a_task_is_given_once(store: SQLiteStore) -> None:
    await write(store, PLAIN)
    view = UnitOfWork(policy=POLICY)
    view.events.put(birth(PLAIN))
    with pytest.raises(sqlite3.IntegrityError, match=r"events\.task_id, events\.task_seq"):
        await write_view(store, view)
    assert len(await store.reads.events_of_task(PLAIN.id, after=0, limit=10)) == 1


@pytest.mark.parametrize(
    ("task", "constraint"),
    [
        pytest.param(replace(PLAIN, clocks=Clocks()), "task_is_due", id="alive without a clock"),
        pytest.param(
            replace(FULL, claimable_at=1), "terminal_is_not_claimable", id="ended but claimable"
        ),
        pytest.param(replace(PLAIN, priority=10), "priority", id="a priority beyond 9"),
    ],
)
async def test_the_database_says_no_by_name(
    store: SQLiteStore, task: Task, constraint: str
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match=constraint):
        await write(store, task)


async def test_states_in_the_schema_are_those_of_the_rules(store: SQLiteStore) -> None:
    for number, status in enumerate(Status):
        made = replace(PLAIN, id=f"task_{number}", status=status, claimable_at=None)
        ended = replace(made, clocks=Clocks(), finished_at=1) if status in TERMINAL else made
        await write(store, ended)
    assert set(await store.reads.counts()) == set(Status)


async def test_a_caller_that_leaves_splits_no_transaction(store: SQLiteStore) -> None:
    """Cancelled at each step of its way, a writer commits everything or nothing."""
    for steps in range(40):
        task = replace(PLAIN, id=f"task_{steps}")
        writing = asyncio.ensure_future(write(store, task))
        for _ in range(steps):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait({writing})
    last = replace(PLAIN, id="task_last")
    await write(store, last)
    tasks = (await load(store, ReadSet(tasks=tuple(f"task_{n}" for n in range(40))))).tasks
    events = (await store.reads.events_of_project(None, after=0, limit=100)).events
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert {event.task_id for event in events} == {*tasks, last.id}


async def test_transactions_take_turns(store: SQLiteStore) -> None:
    await asyncio.gather(*(write(store, replace(PLAIN, id=f"task_{n}")) for n in range(20)))
    assert await store.reads.counts() == {"queued": 20}


async def test_erased_env_is_gone_and_known_to_be(store: SQLiteStore, tmp_path: Path) -> None:
    await write(store, FULL, PLAIN)
    async with store.transaction() as batch:
        view = UnitOfWork(policy=POLICY)
        sealed = Sealed(key_id="k1", box=b"sealed")
        view.secrets.new = [
            TaskSecrets(task_id=FULL.id, env=sealed, callback=sealed),
            TaskSecrets(task_id=PLAIN.id, env=sealed),
        ]
        await batch.write(view)
    async with store.transaction() as batch:
        view = UnitOfWork(policy=POLICY)
        view.retention.append(
            Pruning(at=5_000, before=0, long_before=0, ended_before=0, erased=[FULL.id], deleted=[])
        )
        await batch.write(view)
    ended, alive = await store.reads.secrets(FULL.id), await store.reads.secrets(PLAIN.id)
    assert ended is not None
    assert alive is not None
    assert (ended.env, ended.callback_url, alive.env) == (None, sealed, sealed)
    assert (await load(store, ReadSet(tasks=(FULL.id, PLAIN.id)))).secrets.erased == {FULL.id}
    assert needed(tmp_path) == {"k1": {"env": 1, "callback addresses": 1}}


async def test_each_secret_of_a_task_has_a_key_of_its_own(
    store: SQLiteStore, tmp_path: Path
) -> None:
    await write(store, PLAIN)
    env, url = Sealed(key_id="k2", box=b"env"), Sealed(key_id="k1", box=b"url")
    view = UnitOfWork(policy=POLICY)
    view.secrets.new = [TaskSecrets(task_id=PLAIN.id, env=env, callback=url)]
    await write_view(store, view)
    kept = await store.reads.secrets(PLAIN.id)
    assert kept is not None
    assert (kept.env, kept.callback_url) == (env, url)
    assert needed(tmp_path) == {"k2": {"env": 1}, "k1": {"callback addresses": 1}}


async def test_the_reconciler_learns_what_comes_due_next(store: SQLiteStore) -> None:
    await write(store, PLAIN, FULL, jobs=(JOB,))
    assert await store.reads.next_due() == JOB.lease_expires_at
    assert await store.reads.due_tasks(901_000, 10) == [FULL.id, PLAIN.id]
    assert await store.reads.due_tasks(900_999, 10) == [FULL.id]
    assert await store.reads.due_jobs(2_499, 10) == []
    assert await store.reads.due_jobs(2_500, 10) == [JOB.id]


async def test_readers_cannot_write(store: SQLiteStore) -> None:
    reader = store.reads._connection  # noqa: SLF001 - the reads offer no way to try
    with pytest.raises(Unavailable, match="read-only"):
        await reader.fetch("UPDATE ledger SET seq = :seq RETURNING seq", {"seq": 7})


async def test_a_closed_destroy_job_is_loaded_so_that_it_opens_under_a_new_lease(
    store: SQLiteStore,
) -> None:
    closed = replace(JOB, id="job_2-3-destroy", kind="destroy", closed_at=9_000)
    await write(store, FULL, jobs=(closed,))
    assert closed.id in (await load(store, ReadSet(tasks=(FULL.id,)))).jobs
