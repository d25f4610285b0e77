"""Saves the last lines of a spool and the files of an agent before its sandbox is removed."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final

import msgspec

from gateway.wire.launcher import Job, RescuedPiece
from launcher.client import GatewayRejected
from launcher.jobs.context import LauncherContext, key_of
from launcher.providers.protocol import Key, Provider, ProviderError, Rescues, SpoolPiece

PAUSES_SECONDS: Final = (1.0, 3.0, 10.0)
"""Between attempts: a busy sandbox answers later, one whose daemon is dead never does."""
RESCUE_SECONDS: Final = 60.0
"""Time for a sandbox to print what its agent left."""


async def read_final_spool(
    context: LauncherContext, provider: Provider, key: Key, offset: int
) -> tuple[SpoolPiece, str | None]:
    """Ends the agent and reads the next piece of its spool. If that fails: an empty piece and the
    problem; such a sandbox is removed all the same, or nothing would ever be destroyed."""
    for pause in (*PAUSES_SECONDS, None):
        try:
            return await _stop_and_read(provider, key, offset, is_last=pause is None), None
        except ProviderError as error:
            if pause is None or not error.retryable:
                return SpoolPiece(offset=offset), f"its spool could not be read: {error.message}"
            await context.sleep(pause)
    raise AssertionError("the last attempt returns")


async def _stop_and_read(provider: Provider, key: Key, offset: int, *, is_last: bool) -> SpoolPiece:
    """Reads the spool also if the provider cannot stop the sandbox."""
    try:
        await provider.stop(key)
    except ProviderError as error:
        if error.retryable and not is_last:
            raise
    return await provider.read_spool(key, offset)


async def rescue(
    context: LauncherContext, job: Job, provider: Provider, *, seconds: float = RESCUE_SECONDS
) -> str | None:
    """Reports the pieces of the agent's patch; returns a problem, which stops no removal. Raises
    `LeaseLost` and `GatewayUnreachable`: then nothing may be removed."""
    if not isinstance(provider, Rescues):
        return "this provider cannot look for what its agent left"
    try:
        async for line in _bounded(provider.rescue(key_of(job)), seconds):
            await context.client.report(job, _piece(job, line))
    except TimeoutError:
        return f"what its agent left could not be saved within {seconds:.0f} s"
    except (ProviderError, GatewayRejected, msgspec.MsgspecError) as error:
        return f"what its agent left could not be saved: {error}"
    return None


async def _bounded(lines: AsyncGenerator[bytes, None], seconds: float) -> AsyncIterator[bytes]:
    """Limits the time that the sandbox takes, not that of the gateway."""
    clock = asyncio.get_running_loop().time
    async with contextlib.aclosing(lines):
        while True:
            start = clock()
            async with asyncio.timeout(seconds):
                line = await anext(lines, None)
            if line is None:
                return
            seconds -= clock() - start
            yield line


def _piece(job: Job, line: bytes) -> RescuedPiece:
    """Untrusted: it was printed in a sandbox."""
    fields = msgspec.json.decode(line, type=dict[str, Any])
    return msgspec.convert({**fields, "leaseToken": job.lease_token}, RescuedPiece)
