"""The launcher as a real process: killed, started again, stopped."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from launcher.__main__ import main
from launcher.providers.local.processes import members
from tests.forks.programs import shared
from tests.launcher.agents import WAITS
from tests.launcher.conditions import LIMIT_SECONDS, record, until, with_agent
from tests.launcher.conftest import kill_all_under
from tests.launcher.gateway_stub import KEY, StubGateway
from tests.launcher.jobs import INSTANCE, NAME, a_job

SANDBOX = Path(INSTANCE, NAME)


def waits() -> int:
    """A launcher whose agents wait."""
    return main(program=WAITS)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    kill_all_under(tmp_path)


@asynccontextmanager
async def launcher(
    gateway: StubGateway, state: Path, *arguments: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A launcher in a process of its own, killed at the end if it still runs: by SIGQUIT, which is
    SIGKILL to a fork."""
    environ = {
        "PATH": os.environ["PATH"],
        "SLIPGATE_URL": gateway.url,
        "SLIPGATE_API_KEY": KEY,
        "SLIPGATE_PROVIDERS": "local",
        "SLIPGATE_LAUNCHER_STATE": str(state),
    }
    process = await asyncio.create_subprocess_exec(
        *(shared("waits", f"{__name__}:waits"), *arguments),
        env=environ,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGQUIT)
        await process.communicate()


@pytest.mark.parametrize("verb", ["trying", "created", "done"])
async def test_a_launcher_killed_at_any_report_is_followed_by_one_that_adopts(
    gateway: StubGateway, state: Path, verb: str
) -> None:
    gateway.offers = [a_job("create")]
    gateway.mute = {verb}
    async with launcher(gateway, state) as first:
        await until(lambda: gateway.count(verb), verb)
        first.send_signal(signal.SIGQUIT)
        await first.wait()
    before = record(state / SANDBOX) if verb != "trying" else None
    gateway.mute = set()
    gateway.reports.clear()
    gateway.claims.clear()
    async with launcher(gateway, state):
        await until(lambda: gateway.claims, "a claim of the second launcher")
        gateway.offers = [a_job("create", lease=2)]
        await until(lambda: gateway.count("done"), "done")
    assert gateway.verbs() == ["trying", "created", "done"]
    assert before in (None, record(state / SANDBOX))
    assert len(members(await with_agent(state / SANDBOX))) == 2, "one supervisor, one agent"


async def test_sigterm_ends_the_launcher_and_leaves_agents_running(
    gateway: StubGateway, state: Path
) -> None:
    gateway.offers = [a_job("create")]
    async with launcher(gateway, state) as process:
        await until(lambda: gateway.count("done"), "done")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), LIMIT_SECONDS) == 0
    assert record(state / SANDBOX).is_alive()


async def test_once_ends_by_itself(gateway: StubGateway, state: Path) -> None:
    async with launcher(gateway, state, "--once") as process:
        assert await asyncio.wait_for(process.wait(), LIMIT_SECONDS) == 0
    assert len(gateway.claims) == 1


async def test_a_job_of_another_launcher_is_reported_and_no_failure(
    gateway: StubGateway, state: Path
) -> None:
    async with launcher(gateway, state, "--once", "--job", "job_x") as process:
        _, errors = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    assert process.returncode == 0
    assert b"job_x is not to be done" in errors
    assert gateway.claims[0].job_id == "job_x"


async def test_a_wrong_key_is_reported_and_ends_the_launcher(
    gateway: StubGateway, state: Path
) -> None:
    gateway.refused_key = True
    async with launcher(gateway, state) as process:
        _, errors = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    assert process.returncode == 1
    assert b"401" in errors
    assert b"slipgate keys create --scope launcher" in errors
    assert KEY.encode() not in errors
