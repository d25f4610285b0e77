"""Both stores answer every command and every read alike, row for row and in the same order."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from gateway.domain.agents.patch import PatchPiece
from gateway.domain.kernel import commands as c
from gateway.domain.kernel.answers import ClaimReply
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.read_set import Command, Idempotency
from gateway.domain.launching.sandbox_identity import sandbox_name
from gateway.domain.operations.api_key import ApiKey
from gateway.domain.operations.bulk import AdvanceBulk, StartBulk
from gateway.domain.operations.key_commands import CreateKey
from gateway.domain.tasks.task import Sandbox
from gateway.ledger import Ledger
from gateway.store.records import NO_NUMBER, TaskFilter
from gateway.store.sql.reads import SQLReads
from gateway.wire.launcher import LaunchError
from tests.postgres.reused import reused_database
from tests.store.test_bulk import BULK
from tests.store.test_ledger import SPEC, claim
from tests.store.test_purge import OPENED, SEALED, settled
from tests.stores import FileDatabase, NewDatabase, ServerDatabase, ledger_on

NOON: Final = 1_790_000_000_000
TASKS: Final = tuple(typeid("task", NOON, number) for number in range(8))
PULL_REQUEST: Final = "https://github.com/acme/widgets/pull/1"
LONG: Final = "x" * 220
"""Longer than what PostgreSQL indexes of a text."""


def creations() -> Iterator[c.CreateTask]:
    """Tasks of two projects, with all that filters look at."""
    specs = (
        replace(SPEC, metadata={"user": "ü \"'", "long": LONG}, snapshot="s2"),
        replace(SPEC, metadata={"user": "1", "long": f"{LONG}!"}, repo_url=LONG),
        replace(SPEC, project="other", repo_url=f"{LONG}!"),
        replace(SPEC, concurrency_key="k", prompt="NUL: \0"),
        replace(SPEC, concurrency_key="k"),
        replace(SPEC, priority=9),
        replace(SPEC, project="other", metadata={"user": "1"}),
        SPEC,
    )
    for number, spec in enumerate(specs):
        key = ("default", "POST /v1/tasks", str(number))
        yield c.CreateTask(
            task_id=TASKS[number],
            spec=spec,
            env=SEALED,
            idempotency=Idempotency(key=key, digests={"k1": b"d"}, current="k1"),
        )


def reported(number: int, kind: str, data: bytes = b"{}", **more: Any) -> c.ReportAgentEvent:
    name = f"msg_{number}_{kind}_{len(data)}"
    return c.ReportAgentEvent(
        task_id=TASKS[number],
        attempt=1,
        key_id="k1",
        type=kind,
        data=data,
        webhook_id=name,
        body_hash=name.encode(),
        **more,
    )


def reports(answer: ClaimReply) -> Iterator[Command]:
    """A launcher's reports on the jobs that it got: some sandboxes run, one cannot be made."""
    *made, refused = answer.jobs
    for claimed in made:
        assert claimed.job.task_id is not None
        known = {"job_id": claimed.job.id, "lease_token": claimed.job.token}
        sandbox = Sandbox(name=sandbox_name(claimed.job.task_id, 1), provider="local", realm="here")
        yield c.TrySandbox(provider="local", realm="here", name=sandbox.name, number=1, **known)
        yield c.ReportCreated(sandbox=sandbox, **known)
    error = LaunchError(code="no_image", message="none", retryable=False)
    yield c.FailJob(job_id=refused.job.id, lease_token=refused.job.token, error=error)


def story() -> Iterator[Command]:
    """The acts of agents, receivers and people on the tasks that were claimed."""
    piece = PatchPiece(revision=1, start=0, length=4, size=4, chunk=b"diff")
    for number in (0, 1, 2, 3, 5, 6):
        yield reported(number, "task.started")
        yield reported(number, "task.progress", b'{"stage":"agent","message":"m"}')
        yield reported(number, "task.log", b'{"text":"NUL: \\u0000"}')
    yield reported(0, "task.patch", b'{"revision":1}', piece=piece)
    yield reported(0, "task.completed", f'{{"prUrl":"{PULL_REQUEST}"}}'.encode())
    yield reported(1, "task.failed", b'{"error":{"stage":"agent","code":"boom","message":"b"}}')
    yield c.CancelTask(task_id=TASKS[2], project=None)
    yield c.RetryTask(task_id=TASKS[1], project=None)
    yield replace(settled(1), status="dead", http_status=500, answer="no")
    yield StartBulk(bulk=replace(BULK, matched=1), task_ids=(TASKS[7],), actor="key:key_1")
    yield AdvanceBulk(bulk_id=BULK.id)
    yield c.PurgeTask(task_id=TASKS[7], cause=c.Cause(reason="r"))
    for seq in range(2, 60):
        yield settled(seq)
    yield c.Pulse(at=NOON)


Read = Callable[[SQLReads, int], Awaitable[object]]
"""A read at a moment (milliseconds)."""


def of_each_task(read: Callable[[SQLReads, str], Awaitable[object]]) -> Read:
    async def reads(store: SQLReads, _now: int) -> object:
        return [await read(store, task_id) for task_id in TASKS]

    return reads


def of_each_project(read: Callable[[SQLReads, str | None, int], Awaitable[object]]) -> Read:
    async def reads(store: SQLReads, now: int) -> object:
        return [await read(store, project, now) for project in (None, "default", "other")]

    return reads


READS: Final[dict[str, Read]] = {
    "tasks": of_each_task(lambda reads, key: reads.task(key)),
    "attempts": of_each_task(lambda reads, key: reads.attempts(key)),
    "secrets": of_each_task(lambda reads, key: reads.secrets(key)),
    "pieces": of_each_task(lambda reads, key: reads.patch_pieces(key, 1)),
    "chunks": of_each_task(lambda reads, key: reads.chunks(key, [7, 8, 9])),
    "log": of_each_task(lambda reads, key: reads.events_of_task(key, after=9, limit=4)),
    "types": of_each_task(
        lambda reads, key: reads.events_of_types(key, ["task.progress"], is_late_too=True)
    ),
    "last": of_each_task(lambda reads, key: reads.last_event(key, "task.started", until=NO_NUMBER)),
    "newest": of_each_task(lambda reads, key: reads.newest_events(key, 3, ["task.progress"])),
    "deliveries": of_each_task(lambda reads, key: reads.deliveries(key, 50)),
    "undelivered": of_each_task(lambda reads, key: reads.undelivered(key, 50)),
    "pull request": lambda reads, _: reads.newest_of_pull_request(PULL_REQUEST.upper()),
    "another": lambda reads, _: reads.newest_of_pull_request("https://github.com"),
    **{
        f"page of {wanted}": lambda reads, _, wanted=wanted: reads.page(wanted, limit=50)  # type: ignore[misc]
        for wanted in (
            TaskFilter(repo_url=LONG),
            TaskFilter(metadata=(("long", LONG),)),
            TaskFilter(metadata=(("user", "1"),), snapshot="agent-1"),
            TaskFilter(error_code="boom"),
        )
    },
    "feed": of_each_project(
        lambda reads, project, _: reads.events_of_project(project, after=2, limit=100)
    ),
    "feed of types": of_each_project(
        lambda reads, project, _: reads.events_of_project(
            project, ["task.failed", "endpoint.failing"], after=0, limit=100
        )
    ),
    "pruned": of_each_project(lambda reads, project, _: reads.pruned(project)),
    "status": of_each_project(
        lambda reads, project, now: reads.status_facts(project, now=now, launchers_since=0)
    ),
    "history": of_each_project(lambda reads, project, now: reads.history(project, now)),
    "gauges": lambda reads, now: reads.gauges(now=now, since=0),
    "keys": lambda reads, _: reads.api_keys_before(2**60, "", 50),
    "key": lambda reads, _: reads.api_key(b"d" * 32),
    "audit": lambda reads, _: reads.audit_before(NO_NUMBER, 50, actor=None, after=None),
    "audit of one": lambda reads, _: reads.audit_before(
        NO_NUMBER, 50, actor="key:key_1", after=NOON
    ),
    "bulk actions": of_each_project(
        lambda reads, project, _: reads.bulk_actions_before(project, "bulk_~", 50)
    ),
    "kept env": lambda reads, _: reads.kept_env("", 50),
    "old tasks": lambda reads, _: reads.old_tasks("", "task_~", 50),
    "old keys": lambda reads, now: reads.has_idempotency_records(now),
    "old audit": lambda reads, now: reads.has_old_audit(now),
    "old groups": lambda reads, now: reads.has_old_groups(now + 10**9),
    "alerts": lambda reads, _: reads.alerts(),
}


async def _outcome(ledger: Ledger, command: Command) -> object:
    try:
        return await ledger.submit(command)
    except ApiError as exc:
        return exc.code


class Both:
    """The two stores, at one moment."""

    def __init__(self, stack: AsyncExitStack, databases: tuple[FileDatabase, ServerDatabase]):
        self.now = NOON
        self.databases = databases
        self._stack = stack

    async def open(self) -> None:
        opened = [
            await self._stack.enter_async_context(ledger_on(each, lambda: self.now))
            for each in self.databases
        ]
        self._ledgers = [ledger for ledger, _ in opened]
        self._reads = [store.reads for _, store in opened]

    async def submit(self, command: Command) -> object:
        """The answer of both."""
        self.now += 1_000
        first, second = [await _outcome(ledger, command) for ledger in self._ledgers]
        assert first == second
        return first

    async def compare(self) -> set[str]:
        """All reads of both; the names of those that found nothing."""
        empty: set[str] = set()
        for name, read in READS.items():
            first, second = [await read(reads, self.now) for reads in self._reads]
            assert first == second, name
            if not first or (isinstance(first, list) and not any(first)):
                empty.add(name)
        return empty


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    with reused_database() as reused:
        databases = FileDatabase(tmp_path / "slipgate.db"), ServerDatabase(reused)
        async with AsyncExitStack() as stack:
            stores = Both(stack, databases)
            await stores.open()
            yield stores
        assert [each.problems() for each in databases] == [(), ()]


async def test_both_stores_say_the_same_from_the_first_task_to_the_last(both: Both) -> None:
    for project in ("default", "other"):
        key = ApiKey(id=f"key_{project}", scope="tasks", project=project, name=project)
        digest = project[:1].encode() * 32
        await both.submit(CreateKey(key=key, digest=digest, callback_secret=SEALED))
    await both.submit(OPENED)
    for creation in creations():
        await both.submit(creation)
    answer = await both.submit(claim(capacity=6))
    assert isinstance(answer, ClaimReply)
    for command in (*reports(answer), *story()):
        await both.submit(command)
    assert await both.compare() == {"another", "pruned", "alerts"}
    both.now += 200 * 86_400_000
    await both.submit(c.Prune(at=both.now, env_of=TASKS, tasks=TASKS, ended_before=both.now))
    assert "pruned" not in await both.compare()


async def test_a_nul_that_an_agent_sent_is_no_problem_of_the_audit(database: NewDatabase) -> None:
    async with ledger_on(database, lambda: NOON) as (ledger, store):
        for command in (
            next(creations()),
            claim(),
            reported(0, "task.started"),
            reported(0, "task.progress", b'{"stage":"agent","message":"NUL: \\u0000"}'),
        ):
            await ledger.submit(command)
        found = await store.reads.task(TASKS[0])
    assert found is not None
    assert found[0].message in {"NUL: \0", "NUL: \ufffd"}
    assert database.problems() == ()
