"""Lists of tasks: each filter alone and with others, page by page, with bounded work."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec
import pytest

from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import (
    Attempt,
    Clocks,
    Flag,
    Sandbox,
    Status,
    Task,
    TaskError,
    Timeouts,
)
from gateway.store.records import ANY_FLAG, NEWEST, TaskFilter, TaskPage
from gateway.store.sql.connection import Query
from gateway.store.sql.rows import Row
from gateway.store.sql.task_list import Listing
from tests.stores import NewDatabase, OpenedStore, write

START: Final = 1_790_000_000_000
COUNT: Final = 120
LAUNCHERS: Final = ("l-1", "l-2")
Page = Callable[..., Awaitable[TaskPage]]
REPOS: Final = ("https://github.com/acme/widgets", "https://github.com/acme/gears")


def made(number: int, rolls: random.Random) -> tuple[Task, Spec]:
    """A task that may be anything; its id is a little older than it is."""
    created_at = START + number * 1_000
    project = rolls.choice(["acme", "default"])
    status = rolls.choice(list(Status))
    sandbox = Sandbox(name=f"s-{number}", provider=rolls.choice(["local", "docker"]))
    error = TaskError(stage="agent", code=rolls.choice(["boom", "agent_silent"]), message="…")
    flags = [Flag(code=code, since=1) for code in ("silent", "unreachable") if rolls.random() < 0.3]
    task = Task(
        id=typeid("task", created_at - rolls.randrange(900), rolls.getrandbits(74)),
        project=project,
        status=status,
        attempt=1,
        max_attempts=1,
        seq=1,
        created_at=created_at,
        updated_at=created_at,
        timeouts=Timeouts(),
        snapshot=rolls.choice(["s1", "s2"]),
        provider=rolls.choice([None, "docker"]),
        sandbox=rolls.choice([None, sandbox]),
        error=error if status is Status.FAILED else None,
        flags=tuple(flags),
        clocks=Clocks() if status.is_terminal else Clocks(queue=1),
    )
    spec = Spec(
        project=project,
        repo_url=rolls.choice(REPOS),
        prompt="p",
        title="t",
        branch_name="b",
        metadata={
            key: rolls.choice(["1", "ü \"'"]) for key in ("user", "a.b") if rolls.random() < 0.7
        },
    )
    return task, spec


@pytest.fixture
def tasks() -> dict[str, tuple[Task, Spec]]:
    rolls = random.Random(7)
    return {task.id: (task, spec) for task, spec in (made(n, rolls) for n in range(COUNT))}


@pytest.fixture
async def store(
    database: NewDatabase, tasks: dict[str, tuple[Task, Spec]]
) -> AsyncIterator[OpenedStore]:
    async with database.opened() as opened:
        view = UnitOfWork(policy=Policy(key_id="k1"))
        for task, spec in tasks.values():
            view.tasks.create(task)
            view.events.put(_birth(task, spec))
            view.metadata.append((task.id, spec.metadata))
            view.attempts.put(_attempt(task))
        await write(opened, view)
        yield opened


@pytest.fixture
async def reader(database: NewDatabase, store: OpenedStore) -> AsyncIterator[Query]:
    async with database.connected() as query:
        yield query


def _attempt(task: Task) -> Attempt:
    launcher = _launcher(task)
    return Attempt(task_id=task.id, number=1, key_id="k1", opened_at=1, launcher_id=launcher)


def _launcher(task: Task) -> str:
    """The one that took it."""
    return LAUNCHERS[ord(task.id[-1]) % 2]


def _birth(task: Task, spec: Spec) -> Event:
    return Event(
        task_id=task.id,
        task_seq=1,
        attempt=1,
        type="task.created",
        at=task.created_at,
        source="api",
        data=msgspec.json.encode(spec),
    )


def _matches(wanted: TaskFilter, task: Task, spec: Spec) -> bool:
    """The same rules once more, as a sentence about one task."""
    flags = {flag.code for flag in task.flags}
    return all(
        (
            wanted.project in {None, task.project},
            task.status in wanted.statuses,
            wanted.flag is None or wanted.flag in flags or (wanted.flag == "any" and flags),
            wanted.error_code in {None, task.error.code if task.error else ""},
            wanted.repo_url in {None, spec.repo_url},
            wanted.provider in {None, task.sandbox.provider if task.sandbox else task.provider},
            wanted.snapshot in {None, task.snapshot},
            wanted.launcher_id in {None, _launcher(task)},
            all(spec.metadata.get(key) == value for key, value in wanted.metadata),
            wanted.created_after is None or task.created_at > wanted.created_after,
            wanted.created_before is None or task.created_at < wanted.created_before,
        )
    )


SINGLE_FILTERS: Final = {
    "everything": TaskFilter(),
    "one project": TaskFilter(project="acme"),
    "two states": TaskFilter(statuses=(Status.RUNNING, Status.FAILED)),
    "any flag": TaskFilter(flag="any"),
    "a flag that is not the first": TaskFilter(flag="silent"),
    "an error code": TaskFilter(error_code="boom"),
    "a repository": TaskFilter(repo_url=REPOS[0]),
    "a provider": TaskFilter(provider="docker"),
    "a snapshot": TaskFilter(snapshot="s1"),
    "a launcher": TaskFilter(launcher_id="l-1"),
    "metadata of odd characters": TaskFilter(metadata=(("a.b", "ü \"'"),)),
    "two metadata": TaskFilter(metadata=(("user", "1"), ("a.b", "1"))),
    "after a moment": TaskFilter(created_after=START + 50_000),
    "before a moment": TaskFilter(created_before=START + 50_000),
    "nobody's project": TaskFilter(project="nobody", flag="any"),
}


def _mixed_filters() -> Iterator[TaskFilter]:
    rolls = random.Random(11)
    for _ in range(40):
        yield TaskFilter(
            project=rolls.choice([None, "acme", "default"]),
            statuses=tuple(rolls.sample(list(Status), rolls.randrange(1, 10))),
            flag=rolls.choice([None, None, "any", "silent"]),
            error_code=rolls.choice([None, None, "boom"]),
            repo_url=rolls.choice([None, *REPOS]),
            provider=rolls.choice([None, None, "local"]),
            snapshot=rolls.choice([None, None, "s2"]),
            launcher_id=rolls.choice([None, None, "l-2"]),
            metadata=rolls.choice([(), (("user", "1"),), (("user", "1"), ("a.b", "1"))]),
            created_after=rolls.choice([None, START + rolls.randrange(COUNT) * 1_000]),
            created_before=rolls.choice([None, START + rolls.randrange(COUNT) * 1_000]),
        )


async def test_a_filter_lists_what_matches_newest_first(
    store: OpenedStore, tasks: dict[str, tuple[Task, Spec]]
) -> None:
    for name, wanted in SINGLE_FILTERS.items():
        page = await store.reads.page(wanted, limit=200)
        expected = [pair for pair in tasks.values() if _matches(wanted, *pair)]
        expected.sort(key=lambda pair: pair[0].id, reverse=True)
        assert list(page.tasks) == expected, name
        assert page.last is None, name


async def test_pages_and_selections_of_any_filters_are_the_list_without_gap_or_repetition(
    store: OpenedStore, tasks: dict[str, tuple[Task, Spec]]
) -> None:
    for wanted in _mixed_filters():
        expected = sorted((key for key, pair in tasks.items() if _matches(wanted, *pair)))
        for limit in (1, 7):
            assert await _listed(store.reads.page, wanted, limit) == expected[::-1]
        assert await store.reads.ids(wanted, most=COUNT) == expected[::-1]


async def test_a_selection_of_too_many_is_none(reader: Query) -> None:
    for most, budget, is_whole in (
        (COUNT, 1_000, True),
        (COUNT - 1, 1_000, False),
        (COUNT, 0, False),
    ):
        found = await Listing(reader).ids(TaskFilter(), most=most, budget=budget)
        assert (found is not None) is is_whole


async def test_a_search_ends_when_its_work_is_done_and_goes_on_at_the_next_request(
    reader: Query, tasks: dict[str, tuple[Task, Spec]]
) -> None:
    """A match far from the top takes many requests, none of them long."""
    oldest = min(tasks)
    wanted = TaskFilter(snapshot=tasks[oldest][0].snapshot, created_before=START + 500)
    listed = Listing(reader, budget=10)
    everywhere = TaskFilter(snapshot="none")
    first = await listed.page(everywhere, before=NEWEST, limit=4)
    assert (first.tasks, first.last is not None) == ((), True)
    assert await _listed(listed.page, everywhere, 4) == []
    assert await _listed(listed.page, wanted, 4) == [oldest]


async def test_the_rarest_of_several_filters_leads(reader: Query) -> None:
    """One filter that many tasks meet does not hide the one that few do."""
    listed = Listing(reader, budget=1, probe=30)
    rare = TaskFilter(metadata=(("user", "1"),), statuses=(Status.EXPIRED,))
    page = await listed.page(rare, before=NEWEST, limit=20)
    assert page.last is None
    assert {task.status for task, _ in page.tasks} == {Status.EXPIRED}


async def test_a_single_filter_is_asked_for_no_more_than_its_page(reader: Query) -> None:
    asked: list[Mapping[str, object]] = []

    async def query(statement: str, params: Mapping[str, object]) -> Iterable[Row]:
        asked.append(params)
        return await reader(statement, params)

    for wanted in (TaskFilter(flag=ANY_FLAG), TaskFilter(error_code="boom"), TaskFilter()):
        asked.clear()
        await Listing(query).page(wanted, before=NEWEST, limit=5)
        assert {params["limit"] for params in asked if "limit" in params} == {6}


async def _listed(page: Page, wanted: TaskFilter, limit: int) -> list[str]:
    found: list[str] = []
    before: str | None = NEWEST
    while before is not None:
        piece = await page(wanted, before=before, limit=limit)
        assert len(piece.tasks) <= limit
        found += [task.id for task, _ in piece.tasks]
        before = piece.last
    return found
