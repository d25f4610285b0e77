"""Waits for a condition with a time limit."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from launcher.providers.local.processes import Supervisor, members

LIMIT_SECONDS = 60.0


async def until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Returns as soon as `condition` holds; fails the test if it never does."""
    give_up = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < give_up, f"{what} did not come true"
        await asyncio.sleep(0.01)  # between two looks


async def until_answered(ask: Callable[[], Awaitable[object]], what: str = "the condition") -> None:
    """Returns as soon as an answer is true; fails the test if none ever is."""
    give_up = time.monotonic() + LIMIT_SECONDS
    while not await ask():
        assert time.monotonic() < give_up, f"{what} did not come true"
        await asyncio.sleep(0.03)  # between two requests, which cost more than a look


def record(directory: Path) -> Supervisor:
    """The supervisor of a local sandbox."""
    fields = json.loads((directory / "process.json").read_text())
    return Supervisor(pid=fields["pid"], birth=fields["birth"])


async def with_agent(directory: Path) -> Supervisor:
    """The supervisor, once its agent runs: it is on record before that."""
    supervisor = record(directory)
    await until(lambda: len(members(supervisor)) > 1, "its agent")
    return supervisor
