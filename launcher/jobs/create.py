"""create: for each provider of the chain trying → create or adopt → created → started → done."""

import asyncio
from collections.abc import Iterator
from itertools import chain, cycle
from typing import Final

from gateway.wire.launcher import Job, MayTry
from gateway.wire.truncation import head_and_tail
from launcher.jobs.context import LauncherContext, check_labels, key_of, sandbox_report
from launcher.jobs.last_words import read_final_spool
from launcher.jobs.lease import Lease
from launcher.providers.protocol import (
    Provider,
    ProviderError,
    ProviderUnusable,
    SandboxSpec,
    SandboxStatus,
)
from launcher.sandbox_env import sandbox_environment

CREATE_SECONDS: Final = 120
"""A create call that runs longer is given up (lifecycle: Fencing)."""
LAUNCH_SECONDS: Final = 300
"""So long a launch is tried before it is given back as failed: the gateway's launch clock."""
PAUSES_SECONDS: Final = (0.2, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Before each further round through the chain; the last one stays."""
PROVIDERS_OWN: Final = ("wrong_snapshot",)
"""Failures that another provider of the chain may not have, and this one will have again."""
GIVEN_BACK: Final = ("sandbox_gone", "launch_timeout")
"""Failures that the gateway should hear of at once: it decides whether there is another launch."""
REASON_LENGTH: Final = 1_000
"""Characters of a sandbox's own reason: a long one has its cause at either end."""
POLL_SECONDS: Final = 0.2
LONGEST_POLL_SECONDS: Final = 3.0


async def create(context: LauncherContext, lease: Lease) -> str:
    """Makes the job's sandbox, or adopts it, and says so.

    What may pass is tried with the next provider, then again from the first, ever more slowly; a
    sandbox from another snapshot is destroyed and counts against its provider; everything else
    ends the job at once.
    """
    left = list(context.chain_for(lease.job))
    deadline = context.clock() + LAUNCH_SECONDS
    note: str | None = None
    wait = 0.0
    for number, pause in enumerate(_pauses(len(left)), start=1):
        await context.sleep(max(pause, wait))
        provider = left.pop(0)
        try:
            return await _try(context, lease, provider, number, note)
        except ProviderError as error:
            if _is_transient(error) and context.clock() + error.retry_after < deadline:
                left.append(provider)
            elif not _is_its_own(error) or not left:
                raise
            note = f"{provider.name}: {error.message}"
            wait = error.retry_after
    raise AssertionError("the pauses have no end")


def _is_transient(error: ProviderError) -> bool:
    return error.retryable and error.code not in GIVEN_BACK


def _is_its_own(error: ProviderError) -> bool:
    """Whether another provider may do what this one cannot."""
    return isinstance(error, ProviderUnusable) or error.code in PROVIDERS_OWN


def _pauses(providers: int) -> Iterator[float]:
    """None while each provider has its first try, then one before each round."""
    yield from (0.0 for _ in range(providers))
    for pause in chain(PAUSES_SECONDS, cycle(PAUSES_SECONDS[-1:])):
        yield from (pause if first else 0.0 for first in (True, *(False,) * (providers - 1)))


async def _try(
    context: LauncherContext, lease: Lease, provider: Provider, number: int, note: str | None
) -> str:
    job = lease.job
    found = await _obtain(context, lease, provider, number, note)
    check_labels(job, found)
    await context.client.created(job, sandbox_report(provider, found))
    await _check_cancelled(context, lease, provider, found)
    if job.snapshot and found.snapshot != job.snapshot:
        await provider.remove(found.key)
        raise _wrong_snapshot(job.snapshot, found.snapshot)
    found = await _started(context, provider, found)
    await _check_cancelled(context, lease, provider, found)
    await context.client.done(job, sandbox=sandbox_report(provider, found), process=found.process)
    return "created"


async def _obtain(
    context: LauncherContext, lease: Lease, provider: Provider, number: int, note: str | None
) -> SandboxStatus:
    """The sandbox; raises `ProviderError` when it cannot be had."""
    # The gateway's window is counted from the first sending: that can only make it shorter.
    asked_at = context.clock()
    may = await _ask(context, lease.job, provider, number, note)
    if not may.create:
        return await _adopt(context, lease, provider)
    await _check_cancelled(context, lease, provider)
    if context.clock() >= asked_at + may.create_seconds:
        raise ProviderError("provider_unavailable", "the time to create ran out", retryable=True)
    return await _make(provider, _order(context, lease.job))


async def _ask(
    context: LauncherContext, job: Job, provider: Provider, number: int, note: str | None
) -> MayTry:
    return await context.client.trying(
        job,
        provider=provider.name,
        realm=provider.realm,
        name=key_of(job).name,
        number=number,
        note=note,
    )


async def _adopt(context: LauncherContext, lease: Lease, provider: Provider) -> SandboxStatus:
    """What is there already: the agent has spoken, or a cancel is pending."""
    await lease.renew()
    await _check_cancelled(context, lease, provider)
    found = await provider.find(key_of(lease.job))
    if found is None:
        raise ProviderError("sandbox_gone", "the sandbox is not there any more", retryable=True)
    return found


async def _make(provider: Provider, spec: SandboxSpec) -> SandboxStatus:
    try:
        async with asyncio.timeout(CREATE_SECONDS):
            return await provider.create(spec)
    except TimeoutError as error:
        raise ProviderError(
            "provider_unavailable",
            "the provider did not answer in time",
            retryable=True,
        ) from error


def _order(context: LauncherContext, job: Job) -> SandboxSpec:
    return SandboxSpec(
        key=key_of(job),
        snapshot=job.snapshot,
        labels=job.labels,
        env=sandbox_environment(context.forwarded_env, job.env),
        own=frozenset(job.env),
    )


async def _started(
    context: LauncherContext, provider: Provider, found: SandboxStatus
) -> SandboxStatus:
    """Waits until the sandbox has left `creating`."""
    deadline = context.clock() + LAUNCH_SECONDS
    pause = POLL_SECONDS
    while found.state == "creating":
        if context.clock() > deadline:
            raise ProviderError("launch_timeout", "the sandbox did not start", retryable=True)
        await context.sleep(pause)
        pause = min(pause * 1.5, LONGEST_POLL_SECONDS)
        seen = await provider.find(found.key)
        if seen is None:
            raise ProviderError("sandbox_gone", "the sandbox went while starting", retryable=True)
        found = seen
    if found.state != "started":
        raise await _not_started(provider, found)
    return found


async def _not_started(provider: Provider, found: SandboxStatus) -> ProviderError:
    """What holds the name and will never run is deleted: the next try needs the name."""
    reason = found.reason or (await provider.read_log(found.key)).strip()
    await provider.remove(found.key)
    why = f": {head_and_tail(reason, REASON_LENGTH)}" if reason else ""
    return ProviderError("sandbox_error", f"the sandbox is {found.state}{why}", retryable=True)


def _wrong_snapshot(asked: str, found: str | None) -> ProviderError:
    return ProviderError(
        "wrong_snapshot",
        f"the sandbox came up from {found or 'no snapshot'} instead of {asked}, and is destroyed. "
        "`slipgate doctor --live` shows which provider honours the snapshot",
        retryable=False,
    )


async def _check_cancelled(
    context: LauncherContext, lease: Lease, provider: Provider, made: SandboxStatus | None = None
) -> None:
    """A cancelled job destroys what it made and ends. What an agent has said meanwhile, while it
    could not reach the gateway, must not go with it: then the destroy job brings it home first."""
    if not lease.is_cancelled:
        return
    found = made or await provider.find(key_of(lease.job))
    if found is not None:
        check_labels(lease.job, found)
        piece, _ = await read_final_spool(context, provider, found.key, 0)
        if not piece.lines and not piece.has_more:
            await provider.remove(found.key)
    raise ProviderError("cancelled", "cancelled while launching", retryable=False)
