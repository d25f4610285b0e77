"""Deleting until nothing is found: what Daytona answers is only that it has understood."""

from collections.abc import Awaitable, Callable
from typing import Final

from launcher.client import Clock, Sleep
from launcher.providers.daytona.errors import unavailable
from launcher.providers.daytona.schema import Sandbox

REMOVE_SECONDS: Final = 60.0
"""A sandbox that is still there so long after its deletion was accepted is asked for again."""
POLL_SECONDS: Final = 1.0


async def until_gone(
    sandbox: Sandbox,
    *,
    look: Callable[[str], Awaitable[Sandbox | None]],
    delete: Callable[[str], Awaitable[None]],
    clock: Clock,
    sleep: Sleep,
) -> None:
    """`look` and `delete` take its id: the name is free before the sandbox is gone.

    Raises:
        ProviderError: it is still there after a minute.
    """
    deadline = clock() + REMOVE_SECONDS
    found: Sandbox | None = sandbox
    while found is not None and not found.is_gone:
        if found.state != "destroying":
            await delete(found.id)
        found = await look(found.id)
        if found is not None and not found.is_gone:
            if clock() > deadline:
                raise unavailable(f"the sandbox is still {found.state} after its deletion")
            await sleep(POLL_SECONDS)
