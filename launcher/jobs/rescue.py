"""What an agent has left in its sandbox goes to the gateway before the sandbox is removed."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final

import msgspec

from gateway.wire.launcher import Job, RescuedPiece
from launcher.client import GatewayRejected
from launcher.jobs.context import LauncherContext, key_of
from launcher.providers.protocol import Provider, ProviderError, Rescues

SECONDS: Final = 60.0
"""So long a sandbox may take to tell what lies in it: its removal waits no longer."""


async def rescue(
    context: LauncherContext, job: Job, provider: Provider, *, seconds: float = SECONDS
) -> str | None:
    """Sends the pieces; answers with what went wrong, if something did: the removal goes on.

    Raises:
        LeaseLost: another launcher has the job now.
        Unreachable: the gateway does not answer: before it does nothing is removed.
    """
    if not isinstance(provider, Rescues):
        return "this provider cannot look for what its agent left"
    try:
        async for line in _bounded(provider.rescue(key_of(job)), seconds):
            await context.client.rescued(job, _piece(job, line))
    except TimeoutError:
        return f"what its agent left could not be saved within {seconds:.0f} s"
    except (ProviderError, GatewayRejected, msgspec.MsgspecError) as error:
        return f"what its agent left could not be saved: {error}"
    return None


async def _bounded(lines: AsyncGenerator[bytes, None], seconds: float) -> AsyncIterator[bytes]:
    """Lines as they come; the time counts that the sandbox takes, not the gateway's."""
    clock = asyncio.get_running_loop().time
    async with contextlib.aclosing(lines):
        while True:
            began = clock()
            async with asyncio.timeout(seconds):
                line = await anext(lines, None)
            if line is None:
                return
            seconds -= clock() - began
            yield line


def _piece(job: Job, line: bytes) -> RescuedPiece:
    """Printed in a sandbox, so it is believed in nothing but its shape."""
    fields = msgspec.json.decode(line, type=dict[str, Any])
    return msgspec.convert({**fields, "leaseToken": job.lease_token}, RescuedPiece)
