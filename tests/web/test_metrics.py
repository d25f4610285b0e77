"""`/metrics`: what somebody can be woken by, and what it costs to ask."""

from importlib.metadata import version
from pathlib import Path
from platform import python_version

import pytest
from msgspec.structs import replace

from gateway.domain.kernel.errors import Unavailable
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.realm import LIVE_FOR
from gateway.ledger import wall_clock
from gateway.metrics.outcomes import OutcomeMetrics
from gateway.web.http.single_flight import Cached
from tests.domain.test_deliveries import FAILED
from tests.stores import FileDatabase, NewDatabase
from tests.web.callers import SILENT, GatewayHarness, beside, open_gateway

CALLBACK = "https://app.example/api/hook"


class Hands:
    """A clock that is set by hand, from now on."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return wall_clock() + self.ahead


async def scraped(gateway: GatewayHarness) -> dict[str, float]:
    """Every sample by its name and labels."""
    text = (await gateway.get("/metrics", "read")).text
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


async def test_what_is_wrong_can_be_alerted_on(database: NewDatabase) -> None:
    clock = Hands()
    async with open_gateway(database, clock=clock) as gateway:
        quiet = await scraped(gateway)
        assert quiet["slipgate_deliveries_oldest_due_seconds"] == 0
        assert quiet['slipgate_flags{code="no_launcher"}'] == 0
        assert quiet['slipgate_loop_steps_failed_total{loop="deliver"}'] == 0
        await gateway.claim(capacity=3)
        await gateway.create(callbackUrl=CALLBACK)
        due = clock() - 500_000
        await beside(
            database,
            *SILENT,
            f"UPDATE deliveries SET status = 'pending', next_attempt_at = {due}",  # noqa: S608
        )
        clock.ahead = 11_000
        metrics = await scraped(gateway)
    assert metrics['slipgate_tasks{status="queued"}'] == 1
    assert metrics['slipgate_flags{code="silent"}'] == 1
    assert metrics['slipgate_deliveries{status="pending"}'] == 1
    assert metrics['slipgate_deliveries{status="dead"}'] == 0
    assert metrics["slipgate_launchers_live"] == 1
    assert metrics["slipgate_launcher_places"] == 3
    assert "slipgate_ledger_queue" in metrics  # the deliverer may be writing just now
    assert metrics['slipgate_connections_refused_total{reason="no_room"}'] == 0
    assert metrics["slipgate_ledger_commit_seconds_count"] >= 2


@pytest.mark.parametrize(
    ("code", "counted"), [("push_failed", "push_failed"), ("made_up_by_an_agent", "other")]
)
async def test_ends_and_times_are_counted_when_they_are_committed(
    database: NewDatabase, code: str, counted: str
) -> None:
    clock = Hands()
    async with open_gateway(database, clock=clock) as gateway:
        _, agent = await gateway.launch()
        clock.ahead = 40_000
        error = {"stage": "push", "code": code, "message": "no", "retryable": False}
        await agent.emit("task.failed", "end", error=error)
        metrics = await scraped(gateway)
    assert metrics[f'slipgate_tasks_ended_total{{code="{counted}",status="failed"}}'] == 1
    assert metrics["slipgate_task_queue_seconds_count"] == 1
    assert metrics["slipgate_task_launch_seconds_count"] == 1
    assert metrics['slipgate_task_run_seconds_bucket{le="30"}'] == 0
    assert metrics['slipgate_task_run_seconds_bucket{le="60"}'] == 1


@pytest.mark.parametrize(
    ("status", "reason", "result"),
    [
        ("delivered", None, "delivered"),
        ("pending", "timeout", "failed"),
        ("dead", "gone", "dead"),
        ("pending", None, "delivered"),  # to be repeated
    ],
)
def test_an_attempt_at_a_delivery_is_counted_once_it_is_committed(
    status: str, reason: str | None, result: str
) -> None:
    unit = UnitOfWork(policy=Policy(key_id="k1"))
    settled = replace(FAILED, status=status, reason=reason)
    unit.deliveries.settled += [settled, replace(settled, is_attempt=False)]
    metrics = OutcomeMetrics()
    metrics.follow(unit)
    families = {family.name: dict(family.values) for family in metrics.families()}
    assert families["slipgate_delivery_attempts"] == {(result, reason or "none"): 1}


async def test_the_age_of_the_queue_is_that_of_its_oldest_task(database: NewDatabase) -> None:
    clock = Hands()
    async with open_gateway(database, clock=clock) as gateway:
        assert (await scraped(gateway))["slipgate_queue_oldest_seconds"] == 0
        await gateway.create()
        clock.ahead = 20_000
        assert 20 <= (await scraped(gateway))["slipgate_queue_oldest_seconds"] < 30


async def test_the_gateway_itself_is_described(gateway: GatewayHarness) -> None:
    await gateway.create()
    metrics = await scraped(gateway)
    build = [name for name in metrics if name.startswith("slipgate_build_info")]
    assert build == [
        f'slipgate_build_info{{python="{python_version()}",version="{version("slipgate")}"}}'
    ]
    assert metrics["slipgate_ledger_commit_age_seconds"] < 60
    assert metrics['slipgate_loop_idle_seconds{loop="reconcile"}'] < 60
    assert metrics['slipgate_endpoints{state="failing"}'] == 0
    assert "slipgate_event_loop_lag_seconds_count" in metrics


@pytest.mark.alike
async def test_the_disk_of_a_file_is_described(tmp_path: Path) -> None:
    async with open_gateway(FileDatabase(tmp_path / "slipgate.db")) as gateway:
        metrics = await scraped(gateway)
    assert metrics["slipgate_disk_free_bytes"] > 0
    assert metrics["slipgate_disk_min_free_bytes"] == 2**30


async def test_a_launcher_that_calls_no_more_is_not_counted(database: NewDatabase) -> None:
    clock = Hands()
    async with open_gateway(database, clock=clock) as gateway:
        await gateway.claim(capacity=3)
        clock.ahead = LIVE_FOR + 1_000
        assert (await scraped(gateway))["slipgate_launchers_live"] == 0


class Looks:
    """Counts how often somebody looks."""

    def __init__(self) -> None:
        self.count = 0
        self.at = 0
        self.is_broken = False

    async def __call__(self) -> int:
        self.count += 1
        if self.is_broken:
            raise Unavailable("The disk is full.")
        return self.count


async def test_what_was_found_lately_is_not_looked_for_again() -> None:
    looks = Looks()
    flight = Cached(looks, keep=1_000, clock=lambda: looks.at)
    assert [await flight() for _ in range(3)] == [1, 1, 1]
    looks.at = 999
    assert await flight() == 1
    looks.at = 1_000
    assert await flight() == 2
    looks.at = 0  # the clock was set back
    assert await flight() == 3


async def test_a_failure_is_told_and_not_kept() -> None:
    looks = Looks()
    flight = Cached(looks, keep=1_000, clock=lambda: looks.at)
    looks.is_broken = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            await flight()
    looks.is_broken = False
    assert await flight() == 3


async def test_readiness_costs_one_commit_a_second_however_many_ask(
    gateway: GatewayHarness,
) -> None:
    before = (await scraped(gateway))["slipgate_ledger_commit_seconds_count"]
    for _ in range(20):
        assert (await gateway.http.get("/readyz")).status_code == 200
    assert (await scraped(gateway))["slipgate_ledger_commit_seconds_count"] < before + 20


@pytest.mark.alike
async def test_the_label_of_a_route_outlives_the_name_of_its_handler(
    gateway: GatewayHarness,
) -> None:
    await gateway.http.get("/readyz")
    await gateway.get("/v1/tasks", "read")
    await gateway.claim(capacity=1)
    counted = await scraped(gateway)
    for method, route in (
        ("GET", "operations.readyz"),
        ("GET", "tasks.page"),
        ("POST", "launcher.claim"),
    ):
        labels = f'method="{method}",route="{route}",status="200"'
        assert counted[f"slipgate_http_requests_total{{{labels}}}"] == 1
