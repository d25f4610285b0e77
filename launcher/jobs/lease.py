"""The hold on one job: kept by renewing, lost when somebody else has it."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.wire.launcher import Job
from launcher.client import Client, GatewayUnreachable, LeaseLost, Sleep

RENEWALS_PER_LEASE = 4


class Lease:
    """What the gateway says while we work: whether it still is ours, whether it is wanted."""

    def __init__(self, client: Client, job: Job) -> None:
        self._client = client
        self.job = job
        self.is_cancelled = False

    async def renew(self) -> None:
        """Holds on; raises `LeaseLost`."""
        renewed = await self._client.renew(self.job)
        self.is_cancelled = self.is_cancelled or renewed.cancel

    async def keep(self, sleep: Sleep) -> None:
        """Renews until cancelled; a gateway that is away is asked again."""
        while True:
            await sleep(self.job.lease_seconds / RENEWALS_PER_LEASE)
            try:
                await self.renew()
            except GatewayUnreachable:
                continue


async def run_with_lease(
    lease: Lease,
    work: Callable[[Lease], Awaitable[str]],
    *,
    sleep: Sleep = asyncio.sleep,
) -> str:
    """Runs `work` while the lease is renewed beside it; raises what either raises."""
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
    """The one error that counts; a lost lease before all others."""
    error: Exception = group.subgroup(LeaseLost) or group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
