"""Work on a transaction that cancellation must not cut in two."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


async def to_its_end(work: Coroutine[None, None, T]) -> T:
    """Cancelling a coroutine does not stop a statement that is queued: who leaves before it is
    over would not know whether it was committed, and the next BEGIN would meet it. The task does
    not outlive this call."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as exc:
            cancelled = exc
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result
