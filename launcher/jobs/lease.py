"""The lease of one job, renewed while the job runs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.wire.launcher import Job
from launcher.client import Client, GatewayUnreachable, LeaseLost, Sleep

RENEWALS_PER_LEASE: Final = 4


class Lease:
    """A job of this launcher, and whether it has been cancelled."""

    def __init__(self, client: Client, job: Job) -> None:
        self._client = client
        self.job = job
        self.is_cancelled = False

    async def renew(self) -> None:
        """Raises `LeaseLost`."""
        renewed = await self._client.renew(self.job)
        self.is_cancelled = self.is_cancelled or renewed.cancel

    async def keep(self, sleep: Sleep) -> None:
        """Renews until it is cancelled, also past an outage of the gateway."""
        while True:
            await sleep(self.job.lease_seconds / RENEWALS_PER_LEASE)
            try:
                await self.renew()
            except GatewayUnreachable:
                continue


async def run_with_lease(
    lease: Lease, work: Callable[[Lease], Awaitable[str]], *, sleep: Sleep = asyncio.sleep
) -> str:
    """Runs `work` and renews the lease beside it; raises the error of either."""
    try:
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(lease.keep(sleep))
            try:
                return await work(lease)
            finally:
                renewing.cancel()
    except ExceptionGroup as group:
        raise _cause(group) from group


def _cause(group: ExceptionGroup[Exception]) -> Exception:
    """The first error; a lost lease before all others."""
    error: Exception = group.subgroup(LeaseLost) or group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
