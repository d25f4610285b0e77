"""Realms, launchers and concurrency keys on a real file: what waits is told, at bounded cost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.answers import ClaimedJob, ClaimReply
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.policy import Policy
from gateway.domain.launching.realm import LIVE_FOR
from gateway.domain.launching.sandbox_identity import sandbox_name
from gateway.domain.tasks.spec import Spec, TimeoutSpec
from gateway.domain.tasks.task import Sandbox, Task
from gateway.ledger import Ledger
from gateway.loops.reconcile import Reconciler
from gateway.store.sql.launching import STRANDED_AT_ONCE
from gateway.store.sqlite.store import open_sqlite

START = 1_790_000_000_000
HERE, THERE = ("local", "here"), ("docker", "there")
SPEC = Spec(
    project="default",
    repo_url="https://github.com/acme/widgets",
    prompt="Add a health endpoint",
    title="Health",
    branch_name="slipgate/health",
)


class QueueStore:
    """A gateway's core on a file, with a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = START
        self.made = 0
        self.claims = 0

    @asynccontextmanager
    async def opened(self, path: Path, concurrency_per_key: int = 1) -> AsyncIterator["QueueStore"]:
        """Starts it; as often as one likes."""
        policy = Policy(key_id="k1", started_at=self.now, concurrency_per_key=concurrency_per_key)
        async with (
            open_sqlite(path / "slipgate.db", new_instance_id=lambda: "inst_1") as store,
            Ledger(store, policy, clock=lambda: self.now).running() as self.ledger,
        ):
            self.reads = store.reads
            self.reconciler = Reconciler(store.reads, self.ledger.submit, lambda: self.now)
            yield self

    async def create(self, **spec: object) -> str:
        self.made += 1
        task_id = typeid("task", self.now, self.made)
        await self.ledger.submit(c.CreateTask(task_id=task_id, spec=replace(SPEC, **spec)))
        return task_id

    async def claim(
        self, place: tuple[str, str] = HERE, capacity: int = 1, project: str = ""
    ) -> list[ClaimedJob]:
        self.claims += 1
        call = c.Claim(
            launcher_id=f"launcher-{self.claims}",
            providers=(place,),
            capacity=capacity,
            secret=b"s" * 32,
            project=project,
        )
        answer = await self.ledger.submit(call)
        assert isinstance(answer, ClaimReply)
        return [claimed for claimed in answer.jobs if claimed.job.kind == "create"]

    async def launch(self, project: str = "") -> None:
        (claimed,) = await self.claim(project=project)
        job, name = claimed.job, sandbox_name(claimed.job.task_id or "", 1)
        sandbox = Sandbox(id="s1", name=name, provider=HERE[0], realm=HERE[1], state="started")
        await self.ledger.submit(c.FinishJob(job_id=job.id, lease_token=job.token, sandbox=sandbox))

    async def pass_seconds(self, seconds: int) -> None:
        """Time passes in pulses, and the reconciler does what is due."""
        end = self.now + seconds * 1000
        while self.now < end:
            self.now = min(end, self.now + 5_000)
            await self.reconcile()

    async def reconcile(self) -> None:
        while await self.reconciler.step() < 0.1:
            pass

    async def task(self, task_id: str) -> Task:
        found = await self.reads.task(task_id)
        assert found is not None
        return found[0]

    async def flags(self, task_id: str) -> set[str]:
        return {flag.code for flag in (await self.task(task_id)).flags}


async def test_a_running_task_is_told_of_its_realm_across_restarts(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        task = await place.create()
        await place.launch()
        await place.pass_seconds(60)
        assert await place.flags(task) == {"realm_missing"}
        await place.claim()
        await place.reconcile()
        assert await place.flags(task) == set()
    async with place.opened(tmp_path):
        await place.pass_seconds(55)
        assert await place.flags(task) == set()
        await place.pass_seconds(5)
        assert await place.flags(task) == {"realm_missing"}
    async with place.opened(tmp_path):
        await place.claim()
        await place.reconcile()
        assert await place.flags(task) == set()


async def test_all_that_wait_are_told_when_the_last_launcher_goes(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        await place.claim()
        tasks = await asyncio.gather(*(place.create() for _ in range(STRANDED_AT_ONCE + 1)))
        assert {(await place.task(task)).clocks.no_launcher for task in tasks} == {None}
        await place.pass_seconds(55)
        assert [await place.flags(task) for task in tasks] == [set()] * len(tasks)
        await place.pass_seconds(5)
        assert [await place.flags(task) for task in tasks] == [{"no_launcher"}] * len(tasks)


async def test_a_launcher_that_goes_strands_what_it_alone_could_take(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        await place.claim(HERE)
        await place.claim(THERE)
        for_docker, for_any = await place.create(provider="docker"), await place.create()
        for _ in range(3):
            await place.pass_seconds(25)
            await place.claim(HERE, capacity=0)
        assert await place.flags(for_docker) == {"no_launcher"}
        assert await place.flags(for_any) == set()


async def test_nobody_is_missed_within_60_seconds_of_a_start(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        task = await place.create()
        await place.pass_seconds(55)
        assert await place.flags(task) == set()
        await place.pass_seconds(5)
        assert await place.flags(task) == {"no_launcher"}


async def test_a_missing_realm_is_not_looked_at_again(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        await place.claim()
        await place.pass_seconds(LIVE_FOR // 1000)
        assert await place.reads.due_realms(place.now + 10**9, 10) == []
    async with place.opened(tmp_path):
        await place.claim()
        assert await place.reads.due_realms(place.now, 10) == [(*HERE, "")]
        await place.reconcile()
        assert await place.reads.due_realms(place.now, 10) == []


async def test_time_with_a_taken_key_does_not_count_across_restarts(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        await place.create(concurrency_key="acme")
        await place.launch()
        task = await place.create(concurrency_key="acme", timeouts=TimeoutSpec(queue_seconds=60))
        await place.pass_seconds(300)
        assert await place.claim() == []
        assert (await place.task(task)).status == "queued"
    async with place.opened(tmp_path):
        first = typeid("task", START, 1)
        await place.ledger.submit(c.CancelTask(task_id=first, project="default"))
        await place.pass_seconds(120)
        assert (await place.task(first)).status == "cancelled"
        await place.pass_seconds(55)
        assert (await place.task(task)).status == "queued"
        await place.pass_seconds(5)
        assert (await place.task(task)).status == "expired"


async def test_a_project_without_a_launcher_is_told_beside_one_that_has_one(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        await place.claim(HERE, project="acme", capacity=0)
        own, other = await place.create(project="acme"), await place.create(project="other")
        for _ in range(4):
            await place.pass_seconds(25)
            await place.claim(HERE, project="acme", capacity=0)
        assert await place.flags(own) == set()
        assert await place.flags(other) == {"no_launcher"}


async def test_a_realm_is_missing_for_the_project_whose_launcher_went(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        tasks = {}
        for project in ("acme", "other"):
            tasks[project] = await place.create(project=project)
            await place.launch(project)
        for _ in range(4):
            await place.pass_seconds(25)
            await place.claim(HERE, project="acme", capacity=0)
        assert await place.flags(tasks["acme"]) == set()
        assert await place.flags(tasks["other"]) == {"realm_missing"}
        await place.claim(HERE, capacity=0)  # a launcher of all
        await place.reconcile()
        assert await place.flags(tasks["other"]) == set()
