"""One run: tasks, faults and kills, then none, and the final state."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx

from gateway.cli.local.processes import Child
from gateway.store.sqlite.admin.audit import audit
from tests.app.processes import gateway_process
from tests.daytona.api import Api, opened
from tests.daytona.cli import install
from tests.daytona.organisation import Habits, Organisation, Sandbox, Snapshot
from tests.forks.children import launcher_child
from tests.launches.agents import ReportingMachine
from tests.launches.random_faults import RandomFaults
from tests.stores import FileDatabase
from tests.web.callers import add_keys

SNAPSHOT: Final = "slipgate-agent-1"
LEASE_SECONDS: Final = 3
LOOK_SECONDS: Final = 0.3


@dataclass(frozen=True, kw_only=True)
class Size:
    """The number of tasks, faults and kills."""

    tasks: int
    launchers: int = 4
    capacity: int = 10
    share: float = 0.2
    """Share of the calls to Daytona that fail."""
    kill_seconds: float = 2.0
    """Seconds between two kills of a launcher."""
    limit_seconds: float = 300.0
    seed: int = 1
    providers: str = "daytona-api"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The final state of a run."""

    statuses: dict[str, int]
    doubles: int
    """Creates of a task while another attempt's sandbox was alive."""
    orphans: list[str]
    problems: tuple[str, ...]
    seconds: float
    kills: int
    calls: int


class OverlapCounter(Organisation):
    """Records every sandbox that is created while another one of its task is alive."""

    def __init__(self, habits: Habits) -> None:
        super().__init__(asyncio.get_running_loop().time, habits)
        self.doubles = 0

    def create(self, wanted: Any) -> Sandbox:
        """Creates as the real one does."""
        task = wanted.get("labels", {}).get("slipgate-task")
        others = [each for each in self.living() if each.labels.get("slipgate-task") == task]
        made = super().create(wanted)
        self.doubles += bool(others)
        return made


@dataclass(kw_only=True)
class _Run:
    size: Size
    api: Api
    organisation: OverlapCounter
    http: httpx.AsyncClient
    launchers: list[Child]
    database: Path
    faults: RandomFaults
    random: Random
    kills: int = 0
    killing: asyncio.Task[None] | None = field(default=None)


async def run_chaos(folder: Path, size: Size) -> Outcome:
    """Runs until all tasks end; raises `TimeoutError` if one has not, long after the last fault."""
    began = asyncio.get_running_loop().time()
    async with _opened(folder, size) as run:
        await _create_tasks(run)
        await _until(run, lambda: _living_tasks(run), "tasks")
        run.faults.stop()
        if run.killing is not None:
            run.killing.cancel()
        _restart(run)
        await _until(run, lambda: _sandboxes(run), "sandboxes")
        statuses = await _statuses(run)
        seconds = asyncio.get_running_loop().time() - began
    found = audit(run.database)
    return Outcome(
        statuses=statuses,
        doubles=run.organisation.doubles,
        orphans=[each.name for each in run.organisation.living()],
        problems=found.problems,
        seconds=seconds,
        kills=run.kills,
        calls=len(run.api.faults.calls),
    )


@asynccontextmanager
async def _opened(folder: Path, size: Size) -> AsyncIterator[_Run]:
    database = folder / "s.db"
    keys = add_keys(FileDatabase(database))
    organisation = OverlapCounter(
        Habits(start_seconds=0.1, destroy_seconds=0.1, list_lag_seconds=0.5)
    )
    organisation.add_snapshot(Snapshot(name=SNAPSHOT))
    faults = RandomFaults(organisation, seed=size.seed, share=size.share)
    with ExitStack() as stack:
        settings = {"SLIPGATE_LEASE_SECONDS": str(LEASE_SECONDS)}
        _, url, _ = stack.enter_context(gateway_process(folder, settings, is_public=True))
        headers = {"authorization": f"Bearer {keys['ops']}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as http:
            api = Api(
                organisation=organisation, machine=ReportingMachine(folder / "sandboxes", http)
            )
            async with opened(api):
                launchers = [
                    stack.enter_context(
                        launcher(folder, size, (url, keys["launcher"]), api, number)
                    )
                    for number in range(size.launchers)
                ]
                api.faults.otherwise = faults
                run = _Run(
                    size=size,
                    api=api,
                    organisation=organisation,
                    http=http,
                    launchers=launchers,
                    database=database,
                    faults=faults,
                    random=Random(size.seed),
                )
                run.killing = asyncio.ensure_future(_kill(run))
                try:
                    yield run
                finally:
                    run.killing.cancel()


def launcher(folder: Path, size: Size, gateway: tuple[str, str], api: Api, number: int) -> Child:
    """A launcher's process; `gateway` is its address and a key."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    install(programs, "0.205.1")
    environ = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "SLIPGATE_URL": gateway[0],
        "SLIPGATE_API_KEY": gateway[1],
        "SLIPGATE_PROVIDERS": size.providers,
        "SLIPGATE_CAPACITY": str(size.capacity),
        "SLIPGATE_LAUNCHER_STATE": str(folder / f"launcher-{number}"),
        "SLIPGATE_REALM": "chaos",
        "SLIPGATE_LOG": "json",
        "DAYTONA_API_KEY": "dtn_key",
        "DAYTONA_API_URL": api.url,
    }
    return launcher_child(environ, folder / f"launcher-{number}.log")


async def _create_tasks(run: _Run) -> None:
    for number in range(run.size.tasks):
        response = await run.http.post(
            "/v1/tasks",
            json={
                "repoUrl": "https://github.com/acme/widgets",
                "prompt": f"Task {number}",
                "snapshot": SNAPSHOT,
                "maxAttempts": 20,
            },
        )
        assert response.status_code == 202, response.text


async def _kill(run: _Run) -> None:
    while True:
        await asyncio.sleep(run.size.kill_seconds)
        victim = run.random.choice(run.launchers)
        victim.kill()
        victim.start()
        run.kills += 1


def _restart(run: _Run) -> None:
    """Restarts the launcher of an interrupted kill."""
    for each in run.launchers:
        if each.exit_code is not None:
            each.start()


async def _until(run: _Run, left: Any, what: str) -> None:
    try:
        async with asyncio.timeout(run.size.limit_seconds):
            while await left():  # noqa: ASYNC110 - gateway and cloud know no events
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError as error:
        raise TimeoutError(f"{await left()} {what} are left") from error


async def _living_tasks(run: _Run) -> int:
    query = {"status": "queued,launching,running", "limit": "200"}
    return len((await run.http.get("/v1/tasks", params=query)).json()["data"])


async def _sandboxes(run: _Run) -> int:
    return len(run.organisation.living())


async def _statuses(run: _Run) -> dict[str, int]:
    statuses: Counter[str] = Counter()
    cursor: str | None = None
    while True:
        query = {"limit": "200", **({"cursor": cursor} if cursor else {})}
        page = (await run.http.get("/v1/tasks", params=query)).json()
        statuses.update(task["status"] for task in page["data"])
        cursor = page["nextCursor"]
        if cursor is None:
            return dict(statuses)
