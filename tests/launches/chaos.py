"""One run: tasks, faults and kills, then none, and the final state."""

import asyncio
import os
import sys
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
from tests.launches.agents import Speaking
from tests.launches.weather import Weather
from tests.web.callers import add_keys

SNAPSHOT: Final = "slipgate-agent-1"
LEASE_SECONDS: Final = 3
LAUNCHER: Final = (sys.executable, "-m", "launcher")
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
    patience_seconds: float = 300.0
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


class Watchful(Organisation):
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
class _Field:
    size: Size
    api: Api
    organisation: Watchful
    http: httpx.AsyncClient
    launchers: list[Child]
    database: Path
    weather: Weather
    random: Random
    kills: int = 0
    killing: asyncio.Task[None] | None = field(default=None)


async def storm(folder: Path, size: Size) -> Outcome:
    """Runs until all tasks end; raises `TimeoutError` if one has not, long after the last fault."""
    began = asyncio.get_running_loop().time()
    async with _opened(folder, size) as place:
        await _ask(place)
        await _until(place, lambda: _living_tasks(place), "tasks")
        place.weather.clear_up()
        if place.killing is not None:
            place.killing.cancel()
        _revive(place)
        await _until(place, lambda: _sandboxes(place), "sandboxes")
        statuses = await _statuses(place)
        seconds = asyncio.get_running_loop().time() - began
    found = audit(place.database)
    return Outcome(
        statuses=statuses,
        doubles=place.organisation.doubles,
        orphans=[each.name for each in place.organisation.living()],
        problems=found.problems,
        seconds=seconds,
        kills=place.kills,
        calls=len(place.api.faults.calls),
    )


@asynccontextmanager
async def _opened(folder: Path, size: Size) -> AsyncIterator[_Field]:
    database = folder / "s.db"
    keys = add_keys(database)
    organisation = Watchful(Habits(start_seconds=0.1, destroy_seconds=0.1, list_lag_seconds=0.5))
    organisation.add_snapshot(Snapshot(name=SNAPSHOT))
    weather = Weather(organisation, seed=size.seed, share=size.share)
    with ExitStack() as stack:
        settings = {"SLIPGATE_LEASE_SECONDS": str(LEASE_SECONDS)}
        _, url, _ = stack.enter_context(gateway_process(folder, settings, is_public=True))
        headers = {"authorization": f"Bearer {keys['ops']}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as http:
            api = Api(organisation=organisation, machine=Speaking(folder / "sandboxes", http))
            async with opened(api):
                launchers = [
                    stack.enter_context(
                        launcher(folder, size, (url, keys["launcher"]), api, number)
                    )
                    for number in range(size.launchers)
                ]
                api.faults.otherwise = weather
                place = _Field(
                    size=size,
                    api=api,
                    organisation=organisation,
                    http=http,
                    launchers=launchers,
                    database=database,
                    weather=weather,
                    random=Random(size.seed),
                )
                place.killing = asyncio.ensure_future(_kill(place))
                try:
                    yield place
                finally:
                    place.killing.cancel()


def launcher(folder: Path, size: Size, gate: tuple[str, str], api: Api, number: int) -> Child:
    """A launcher's process; `gate` is the gateway's address and a key."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    install(programs, "0.205.1")
    environ = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "SLIPGATE_URL": gate[0],
        "SLIPGATE_API_KEY": gate[1],
        "SLIPGATE_PROVIDERS": size.providers,
        "SLIPGATE_CAPACITY": str(size.capacity),
        "SLIPGATE_LAUNCHER_STATE": str(folder / f"launcher-{number}"),
        "SLIPGATE_REALM": "storm",
        "SLIPGATE_LOG": "json",
        "DAYTONA_API_KEY": "dtn_key",
        "DAYTONA_API_URL": api.url,
    }
    return Child("launcher", LAUNCHER[1:], environ, folder / f"launcher-{number}.log")


async def _ask(place: _Field) -> None:
    for number in range(place.size.tasks):
        asked = await place.http.post(
            "/v1/tasks",
            json={
                "repoUrl": "https://github.com/acme/widgets",
                "prompt": f"Task {number}",
                "snapshot": SNAPSHOT,
                "maxAttempts": 20,
            },
        )
        assert asked.status_code == 202, asked.text


async def _kill(place: _Field) -> None:
    while True:
        await asyncio.sleep(place.size.kill_seconds)
        victim = place.random.choice(place.launchers)
        victim.kill()
        victim.start()
        place.kills += 1


def _revive(place: _Field) -> None:
    """Restarts the launcher of an interrupted kill."""
    for each in place.launchers:
        if each.exit_code is not None:
            each.start()


async def _until(place: _Field, left: Any, what: str) -> None:
    try:
        async with asyncio.timeout(place.size.patience_seconds):
            while await left():  # noqa: ASYNC110 - gateway and cloud know no events
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError as error:
        raise TimeoutError(f"{await left()} {what} are left") from error


async def _living_tasks(place: _Field) -> int:
    query = {"status": "queued,launching,running", "limit": "200"}
    return len((await place.http.get("/v1/tasks", params=query)).json()["data"])


async def _sandboxes(place: _Field) -> int:
    return len(place.organisation.living())


async def _statuses(place: _Field) -> dict[str, int]:
    statuses: Counter[str] = Counter()
    cursor: str | None = None
    while True:
        query = {"limit": "200", **({"cursor": cursor} if cursor else {})}
        page = (await place.http.get("/v1/tasks", params=query)).json()
        statuses.update(task["status"] for task in page["data"])
        cursor = page["nextCursor"]
        if cursor is None:
            return dict(statuses)
