"""`/metrics`: what somebody can be woken by, and what it costs to ask."""

from pathlib import Path

import pytest

from gateway.domain.kernel.errors import Unavailable
from gateway.domain.launching.realm import LIVE_FOR
from gateway.ledger import wall_clock
from gateway.web.http.single_flight import Cached
from tests.web.callers import GatewayHarness, beside, open_gateway

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


async def test_what_is_wrong_can_be_alerted_on(tmp_path: Path) -> None:
    clock = Hands()
    async with open_gateway(tmp_path, clock=clock) as gateway:
        quiet = await scraped(gateway)
        assert quiet["slipgate_deliveries_oldest_due_seconds"] == 0
        assert quiet['slipgate_flags{code="no_launcher"}'] == 0
        assert quiet['slipgate_loop_steps_failed_total{loop="deliver"}'] == 0
        await gateway.claim(capacity=3)
        await gateway.create(callbackUrl=CALLBACK)
        due = clock() - 500_000
        await beside(
            tmp_path,
            'UPDATE tasks SET flags = \'[{"code":"silent","since":1}]\'',
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


async def test_a_launcher_that_calls_no_more_is_not_counted(tmp_path: Path) -> None:
    clock = Hands()
    async with open_gateway(tmp_path, clock=clock) as gateway:
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
