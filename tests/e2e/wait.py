"""Waits for a condition, while what runs beside it goes on."""

import asyncio
import time
from collections.abc import Callable

LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 240.0
"""For what takes a second or two on a machine that has nothing else to do."""


async def until(
    is_true: Callable[[], bool], what: str, *, seconds: float = PATIENCE_SECONDS
) -> None:
    """Until the condition holds; raises `TimeoutError`."""
    give_up = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > give_up:
            raise TimeoutError(f"waited {seconds} s for {what}")
        await asyncio.sleep(LOOK_SECONDS)
