"""Launches on a Daytona where every fifth call goes wrong; and what slipgate itself costs them."""

import asyncio
import logging
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import httpx
import msgspec

from gateway.cli.local.processes import Child
from gateway.wire.times import milliseconds, parse_rfc3339
from tests.app.processes import gateway_process
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.servers import resident_mb
from tests.daytona.api import Api, opened
from tests.daytona.faults import Fault
from tests.daytona.organisation import Habits, Snapshot
from tests.launches.agents import ReportingMachine
from tests.launches.chaos import SNAPSHOT, Outcome, OverlapCounter, launcher, run_chaos
from tests.launches.chaos import Size as ChaosSize
from tests.stores import FileDatabase
from tests.web.callers import add_keys

CAPACITY: Final = 50
STARTING_SECONDS: Final = 3.0


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    launches: int = 1_000
    samples: int = 50


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one run; milliseconds."""

    lost: int
    doubles: int
    orphans: int
    kills: int
    chaos_seconds: float
    claim_to_create: tuple[float, ...]
    workspace: tuple[float, ...]
    launcher_mb: float | None


async def section(size: Size) -> Section:
    """A run with faults and kills first, then single launches without."""
    # This Daytona breaks off answers on purpose: what its server says of that is no news.
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory(prefix="slipgate-bench-") as folder:
        outcome = await run_chaos(
            Path(folder),
            ChaosSize(
                tasks=size.launches,
                capacity=CAPACITY,
                limit_seconds=900,
            ),
        )
    measured = await _without_faults(size, outcome)
    return Section(
        name=f"{size.launches:,} launches, a fifth of all calls to Daytona going wrong",
        note=f"4 launchers, {measured.kills} times one of them killed; then one launcher of "
        f"capacity {CAPACITY} without faults.",
        results=_results(measured),
        measured=measured,
    )


def _results(measured: Measured) -> tuple[Figure, ...]:
    results = [
        Figure(name="tasks lost", value=measured.lost, unit="", most=0),
        Figure(name="two of one task at once", value=measured.doubles, unit="", most=0),
        Figure(name="sandboxes left over", value=measured.orphans, unit="", most=0),
        Figure(name="until all have ended", value=measured.chaos_seconds, unit="s"),
        Figure(
            name="claim to create call, p50",
            value=statistics.median(measured.claim_to_create),
            unit="ms",
            most=20,
        ),
        Figure(
            name="POST /workspace beyond Daytona's time, p50",
            value=statistics.median(measured.workspace),
            unit="ms",
            most=50,
        ),
    ]
    if measured.launcher_mb is not None:
        results.append(
            Figure(
                name=f"launcher with {CAPACITY} launches under way",
                value=measured.launcher_mb,
                unit="MB",
                most=150,
            )
        )
    return tuple(results)


class _Timed:
    """The arrival of each create call (seconds since the epoch)."""

    def __init__(self) -> None:
        self.creates: list[float] = []

    def __call__(self, call: str) -> Fault | None:
        if call == "POST /sandbox":
            self.creates.append(time.time())
        return None


@dataclass(kw_only=True)
class _Fair:
    api: Api
    organisation: OverlapCounter
    http: httpx.AsyncClient
    launcher: Child
    timed: _Timed


async def _without_faults(size: Size, outcome: Outcome) -> Measured:
    with tempfile.TemporaryDirectory(prefix="slipgate-bench-") as folder:
        async with _opened(Path(folder)) as place:
            single = [await _claim_to_create(place) for _ in range(size.samples)]
            workspaces = [await _workspace(place, number) for number in range(size.samples)]
            megabytes = await _at_work(place)
    ended = sum(outcome.statuses.values())
    return Measured(
        lost=size.launches - ended + len(outcome.problems),
        doubles=outcome.doubles,
        orphans=len(outcome.orphans),
        kills=outcome.kills,
        chaos_seconds=outcome.seconds,
        claim_to_create=tuple(single),
        workspace=tuple(workspaces),
        launcher_mb=megabytes,
    )


@asynccontextmanager
async def _opened(folder: Path) -> AsyncIterator[_Fair]:
    keys = add_keys(FileDatabase(folder / "s.db"))
    organisation = OverlapCounter(Habits())
    organisation.add_snapshot(Snapshot(name=SNAPSHOT))
    async with AsyncExitStack() as stack:
        wait = {"SLIPGATE_WORKSPACE_WAIT_SECONDS": "20"}
        _, url, _ = stack.enter_context(gateway_process(folder, wait, is_public=True))
        headers = {"authorization": f"Bearer {keys['ops']}"}
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=url, headers=headers, timeout=60)
        )
        machine = ReportingMachine(folder / "sandboxes", http)
        stack.push_async_callback(machine.close)
        api = Api(organisation=organisation, machine=machine)
        await stack.enter_async_context(opened(api))
        size = ChaosSize(tasks=0, capacity=CAPACITY)
        child = stack.enter_context(launcher(folder, size, (url, keys["launcher"]), api, 0))
        timed = _Timed()
        api.faults.otherwise = timed
        yield _Fair(api=api, organisation=organisation, http=http, launcher=child, timed=timed)


async def _claim_to_create(place: _Fair) -> float:
    """From the moment the gateway gave the job away to the call at Daytona's door (ms)."""
    task = (await place.http.post("/v1/tasks", json=_TASK)).json()
    events = await _until_ended(place, task["id"])
    claimed = next(event["at"] for event in events if event["type"] == "task.launching")
    moment = parse_rfc3339(claimed)
    assert moment is not None
    return place.timed.creates[-1] * 1000 - milliseconds(moment)


async def _workspace(place: _Fair, number: int) -> float:
    """The whole call (ms): this Daytona takes no time of its own."""
    env = {"TASK_ID": f"w{number}", "AGENT_PROMPT": "x"}
    began = time.perf_counter()
    made = await place.http.post("/workspace", json={**_PLACE, "env": env})
    taken = (time.perf_counter() - began) * 1000
    assert made.status_code == 200, made.text
    await _until_ended(place, made.json()["id"])
    return taken


async def _at_work(place: _Fair) -> float | None:
    """The launcher's memory (MB) while all its places are taken."""
    place.organisation.habits = replace(place.organisation.habits, start_seconds=STARTING_SECONDS)
    for _ in range(CAPACITY):
        await place.http.post("/v1/tasks", json=_TASK)
    async with asyncio.timeout(60):
        while len(place.organisation.living()) < CAPACITY:  # noqa: ASYNC110 - knows no events
            await asyncio.sleep(0.05)
    return resident_mb(place.launcher.pid)


async def _until_ended(place: _Fair, task_id: str) -> list[dict[str, str]]:
    async with asyncio.timeout(60):
        while True:
            page = await place.http.get(f"/v1/tasks/{task_id}/events", params={"limit": "200"})
            events: list[dict[str, str]] = page.json()["data"]
            types = {event["type"] for event in events}
            assert "task.failed" not in types, events[-2:]
            if "sandbox.destroyed" in types:
                return events
            await asyncio.sleep(0.05)


_PLACE: Final = {"repoUrl": "https://github.com/acme/widgets", "snapshot": SNAPSHOT}
_TASK: Final = {**_PLACE, "prompt": "Add a health endpoint"}
