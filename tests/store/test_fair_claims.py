"""Claims on a real file: projects take turns, and what waits in vain is out of everybody's way."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.policy import Policy
from gateway.domain.launching.job import Job
from gateway.domain.launching.sandbox_identity import sandbox_name
from gateway.store.sqlite.store import open_sqlite
from tests.store.test_queue_reads import HERE, THERE, QueueStore


async def projects(place: QueueStore, times: int, capacity: int = 1) -> list[str]:
    """The projects whose tasks `times` claims get."""
    found = [await place.claim(HERE, capacity) for _ in range(times)]
    return [claimed.task.project for jobs in found for claimed in jobs if claimed.task]


def behind(folder: Path) -> set[str]:
    """Tasks that others of their concurrency key stand before."""
    with closing(sqlite3.connect(folder / "slipgate.db")) as database:
        found = database.execute("SELECT id FROM tasks WHERE is_behind = 1")
        return {row[0] for row in found}


async def test_a_flood_of_urgent_tasks_hides_no_other_project(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        await asyncio.gather(*(place.create(project="acme", priority=9) for _ in range(300)))
        await place.create(project="quiet", priority=0)
        assert "quiet" in await projects(place, 2)


async def test_projects_take_turns_whatever_the_capacity(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        for project in ("a", "b", "c"):
            await asyncio.gather(*(place.create(project=project) for _ in range(4)))
        assert await projects(place, 6) == ["a", "b", "c", "a", "b", "c"]
        assert await projects(place, 1, capacity=4) == ["a", "b", "c", "a"]
        assert await projects(place, 2) == ["b", "c"]


async def test_turns_are_kept_over_a_restart(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        for project in ("a", "b"):
            await asyncio.gather(*(place.create(project=project) for _ in range(2)))
        assert await projects(place, 1) == ["a"]
    async with place.opened(tmp_path):
        assert await projects(place, 2) == ["b", "a"]


async def test_a_project_that_comes_back_does_not_catch_up(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        await asyncio.gather(*(place.create(project="a") for _ in range(9)))
        assert await projects(place, 4) == ["a"] * 4
        await asyncio.gather(*(place.create(project="b") for _ in range(3)))
        assert await projects(place, 5) == ["b", "a", "b", "a", "b"]


async def test_priority_counts_within_a_project(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        low = await place.create(project="a", priority=1)
        high = await place.create(project="a", priority=8)
        other = await place.create(project="b", priority=0)
        jobs = await place.claim(HERE, capacity=3)
        assert [claimed.job.task_id for claimed in jobs] == [high, other, low]


async def test_claims_of_different_launchers_in_one_batch_all_get_work(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        for project in ("a", "b"):
            await asyncio.gather(*(place.create(project=project) for _ in range(3)))
        named = await place.create(project="a", provider=THERE[0], priority=9)
        found = await asyncio.gather(
            place.claim(HERE, 2, "a"),
            place.claim(HERE, 1, "b"),
            place.claim(THERE, 1, "a"),
            place.claim(("local", "elsewhere"), 2),
        )
        given = [[claimed.job.task_id for claimed in jobs] for jobs in found]
        assert [len(jobs) for jobs in given] == [2, 1, 1, 2]
        assert given[2] == [named]
        assert len({name for jobs in given for name in jobs}) == 6


async def test_work_of_another_realm_hides_none_from_a_launcher_with_room(tmp_path: Path) -> None:
    place, elsewhere = QueueStore(), ("local", "elsewhere")
    async with place.opened(tmp_path):
        tried = await place.create(project="a")
        (claimed,) = await place.claim(elsewhere)
        trying = c.TrySandbox(
            job_id=claimed.job.id,
            lease_token=claimed.job.token,
            provider=elsewhere[0],
            realm=elsewhere[1],
            name=sandbox_name(tried, 1),
            number=1,
        )
        await place.ledger.submit(trying)
        await place.create(project="b")
        assert await projects(place, 1) == ["b"]
        await place.pass_seconds(65)
        free = await place.create(project="b", priority=9)
        full, found = await asyncio.gather(place.claim(elsewhere, 0), place.claim(HERE, 1))
        assert (full, [each.job.task_id for each in found]) == ([], [free])
        (again,) = await place.claim(elsewhere)
        assert again.job.task_id == tried


async def test_many_projects_are_all_served(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        names = [f"p{number}" for number in range(8)]
        await asyncio.gather(*(place.create(project=name) for name in names * 2))
        assert sorted(await projects(place, 4, capacity=2)) == names
        assert sorted(await projects(place, 2, capacity=8)) == names


async def test_those_behind_a_taken_key_are_out_of_the_way(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        await place.create(concurrency_key="acme", priority=9)
        await place.launch()
        waiting = [await place.create(concurrency_key="acme", priority=9) for _ in range(50)]
        free = await place.create(priority=0)
        assert len(behind(tmp_path) & set(waiting)) == 49
        assert [claimed.job.task_id for claimed in await place.claim()] == [free]
        await place.ledger.submit(c.CancelTask(task_id=waiting[0], project="default"))
        assert len(behind(tmp_path)) == 48


async def test_a_key_that_is_freed_lets_the_most_urgent_go_on(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        await place.create(concurrency_key="acme")
        await place.launch()
        first = typeid("task", place.now, 1)
        low = await place.create(concurrency_key="acme", priority=1)
        high = await place.create(concurrency_key="acme", priority=7)
        later = await place.create(
            concurrency_key="acme", priority=9, not_before=place.now + 3_600_000
        )
        assert await place.claim() == []
        await place.ledger.submit(c.CancelTask(task_id=first, project="default"))
        await place.pass_seconds(120)
        given = [claimed.job.task_id for claimed in await place.claim()]
        assert given == [high]
        assert {low, later}.isdisjoint(given)


async def test_as_many_of_a_key_go_on_as_may_run(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path, concurrency_per_key=3):
        await asyncio.gather(*(place.create(concurrency_key="acme") for _ in range(5)))
        assert len(await place.claim(capacity=9)) == 3
        assert await place.claim(capacity=9) == []


async def test_a_named_provider_that_nobody_has_holds_up_no_other_of_its_key(
    tmp_path: Path,
) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        await place.create(concurrency_key="acme", provider="docker", priority=9)
        task = await place.create(concurrency_key="acme")
        assert [claimed.job.task_id for claimed in await place.claim()] == [task]


async def test_a_claim_is_told_when_a_task_of_its_project_comes_due(tmp_path: Path) -> None:
    place = QueueStore()
    async with place.opened(tmp_path):
        for project, seconds in (("a", 60), ("b", 30)):
            await place.create(project=project, not_before=place.now + seconds * 1000)
        reads = place.reads
        assert await reads.next_claimable([HERE], place.now, "a") == place.now + 60_000
        assert await reads.next_claimable([HERE], place.now, "b") == place.now + 30_000
        assert await reads.next_claimable([HERE], place.now) == place.now + 30_000


async def test_clean_up_of_one_project_hides_none_of_another(tmp_path: Path) -> None:
    path = tmp_path / "slipgate.db"
    async with open_sqlite(path, new_instance_id=lambda: "inst_1") as store:
        async with store.transaction() as batch:
            view = await batch.load([], Policy(key_id="k1"), 0)
            for number in range(40):
                project = "quiet" if number == 39 else "acme"
                job = Job(
                    id=f"job_{number:02}",
                    kind="destroy",
                    provider=HERE[0],
                    realm=HERE[1],
                    project=project,
                    not_before=number,
                )
                view.jobs.put(job)
            await batch.write(view)
        claim = c.Claim(launcher_id="l1", providers=(HERE,), capacity=0, secret=b"s" * 32)
        async with store.transaction() as batch:
            view = await batch.load([claim.needs], Policy(key_id="k1"), 1_000)
        assert "job_39" in list(view.claims.offered)[:2]
