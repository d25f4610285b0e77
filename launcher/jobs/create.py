"""create: trying → create or adopt → created → started → done."""

import asyncio

from gateway.wire.launcher import Job, MayTry
from launcher.environment import sandbox_environment
from launcher.jobs.site import Site, check_labels, described, key_of
from launcher.lease import Lease
from launcher.providers.protocol import Found, Order, Provider, ProviderError

TRIES = 3
"""A try whose window closed before the call could start is followed by another."""
CREATE_SECONDS = 120
"""A create call that runs longer is given up (lifecycle: Fencing)."""
START_SECONDS = 120
LOOK_SECONDS = 0.2


async def create(site: Site, lease: Lease) -> str:
    """Makes the job's sandbox, or adopts it, and says so."""
    job = lease.job
    provider = site.provider_of(job)
    found = await _obtain(site, lease, provider)
    check_labels(job, found)
    await site.client.created(job, described(provider, found))
    await _heed_cancel(lease, provider)
    found = await _started(site, provider, found)
    await _heed_cancel(lease, provider)
    await site.client.done(job, sandbox=described(provider, found), process=found.process)
    return "created"


async def _obtain(site: Site, lease: Lease, provider: Provider) -> Found:
    """The sandbox; raises `ProviderError` when it cannot be had."""
    for number in range(1, TRIES + 1):
        # The gateway's window is counted from the first sending: that can only make it shorter.
        asked_at = site.clock()
        may = await _ask(site, lease.job, provider, number)
        if not may.create:
            return await _adopt(lease, provider)
        await _heed_cancel(lease, provider)
        if site.clock() < asked_at + may.create_seconds:
            return await _make(provider, _order(site, lease.job))
    raise ProviderError("provider_unavailable", "the time to create ran out", retryable=True)


async def _ask(site: Site, job: Job, provider: Provider, number: int) -> MayTry:
    return await site.client.trying(
        job,
        provider=provider.name,
        realm=provider.realm,
        name=key_of(job).name,
        number=number,
    )


async def _adopt(lease: Lease, provider: Provider) -> Found:
    """What is there already: the agent has spoken, or a cancel is pending."""
    await lease.renew()
    await _heed_cancel(lease, provider)
    found = await provider.find(key_of(lease.job))
    if found is None:
        raise ProviderError("sandbox_gone", "the sandbox is not there any more", retryable=True)
    return found


async def _make(provider: Provider, order: Order) -> Found:
    try:
        async with asyncio.timeout(CREATE_SECONDS):
            return await provider.create(order)
    except TimeoutError as error:
        raise ProviderError(
            "provider_unavailable",
            "the provider did not answer in time",
            retryable=True,
        ) from error


def _order(site: Site, job: Job) -> Order:
    return Order(
        key=key_of(job),
        snapshot=job.snapshot,
        labels=job.labels,
        env=sandbox_environment(site.handed, job.env),
    )


async def _started(site: Site, provider: Provider, found: Found) -> Found:
    """Waits until the sandbox has left `creating`."""
    give_up = site.clock() + START_SECONDS
    while found.state == "creating":
        if site.clock() > give_up:
            raise ProviderError("launch_timeout", "the sandbox did not start", retryable=True)
        await site.sleep(LOOK_SECONDS)
        seen = await provider.find(found.key)
        if seen is None:
            raise ProviderError("sandbox_gone", "the sandbox went while starting", retryable=True)
        found = seen
    if found.state != "started":
        raise ProviderError("sandbox_error", f"the sandbox is {found.state}", retryable=True)
    return found


async def _heed_cancel(lease: Lease, provider: Provider) -> None:
    """A cancelled job destroys what it made and ends."""
    if not lease.is_cancelled:
        return
    found = await provider.find(key_of(lease.job))
    if found is not None:
        check_labels(lease.job, found)
        await provider.remove(found.key)
    raise ProviderError("cancelled", "cancelled while launching", retryable=False)
