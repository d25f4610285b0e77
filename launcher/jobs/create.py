"""create: for each provider of the chain: trying → create or adopt → created → started → done."""

import asyncio
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Final

from gateway.wire.launcher import Created, Done, Job, Process, Trying
from gateway.wire.times import rfc3339
from gateway.wire.truncation import head_and_tail
from launcher.client import NOTE_LENGTH
from launcher.github_app import NOT_INSTALLED
from launcher.jobs.context import LauncherContext, check_labels, key_of, sandbox_of, sandbox_report
from launcher.jobs.lease import Lease
from launcher.jobs.rescue import read_final_spool
from launcher.providers.protocol import (
    Provider,
    ProviderError,
    ProviderUnusable,
    SandboxSpec,
    SandboxStatus,
    SpoolPiece,
    unavailable,
)
from launcher.sandbox_env import is_readdressed, sandbox_environment
from launcher.settings import GITHUB_URL

CREATE_SECONDS: Final = 120
"""A create call that runs longer is given up (lifecycle: Fencing)."""
LAUNCH_SECONDS: Final = 300
"""A launch that takes longer has failed: the gateway's launch clock."""
PAUSES_SECONDS: Final = (0.2, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Before each further round through the chain; the last one repeats."""
CANCELLED: Final = "cancelled"
PROVIDERS_OWN: Final = ("wrong_snapshot",)
"""Codes of failures that this provider will have again, and another one may not have."""
GIVEN_BACK: Final = ("sandbox_gone", "launch_timeout")
"""Codes of failures that are reported at once: the gateway decides on another launch."""
REASON_LENGTH: Final = 1_000
"""Characters of a sandbox's own reason: a long one has its cause at either end."""
TOKEN_EXPIRES_AT: Final = "SLIPGATE_GITHUB_TOKEN_EXPIRES_AT"  # noqa: S105 - a variable's name
"""Set beside a token that the launcher can renew."""
POLL_SECONDS: Final = 0.2
LONGEST_POLL_SECONDS: Final = 3.0


async def create(context: LauncherContext, lease: Lease) -> str:
    """Creates or adopts the job's sandbox.

    A transient failure leads to the next provider, then to the first again, ever more slowly. A
    provider's own failure excludes the provider; any other ends the job at once.
    """
    left = list(context.chain_for(lease.job))
    deadline = context.clock() + LAUNCH_SECONDS
    note, wait = None, 0.0
    for number, pause in enumerate(_pauses(len(left)), start=1):
        await context.sleep(max(pause, wait))
        provider = left.pop(0)
        try:
            return await _try(context, lease, provider, number, note)
        except ProviderError as error:
            is_transient = error.retryable and error.code not in GIVEN_BACK
            is_its_own = isinstance(error, ProviderUnusable) or error.code in PROVIDERS_OWN
            if is_transient and context.clock() + error.retry_after < deadline:
                left.append(provider)
            elif not left or not is_its_own:
                raise
            note = context.without_secrets(lease.job, f"{provider.name}: {error.message}")
            wait = error.retry_after
    raise AssertionError("the pauses have no end")


def _pauses(providers: int) -> Iterator[float]:
    """No pause before the first attempt of each provider, then one before each round."""
    yield from repeat(0.0, providers)
    for pause in chain(PAUSES_SECONDS, repeat(PAUSES_SECONDS[-1])):
        yield pause
        yield from repeat(0.0, providers - 1)


async def _try(
    context: LauncherContext, lease: Lease, provider: Provider, number: int, note: str | None
) -> str:
    job = lease.job
    found = await _obtain(context, lease, provider, number, note)
    check_labels(job, found)
    sandbox = sandbox_report(provider, found)
    await context.client.report(job, Created(lease_token=job.lease_token, sandbox=sandbox))
    await _check_cancelled(context, lease, provider, found)
    if job.snapshot and found.snapshot != job.snapshot:
        await provider.remove(found.key)
        raise _wrong_snapshot(job.snapshot, found.snapshot)
    found = await _wait_created(context, provider, found)
    await _check_cancelled(context, lease, provider, found)
    process = found.process
    if found.state != "started":
        final = await read_final_spool(context, provider, found.key, 0)
        if not _may_have_worked(found, *final):
            raise await _not_started(provider, found)
        process = Process(state="exited")
    sandbox = sandbox_report(provider, found)
    done = Done(lease_token=job.lease_token, sandbox=sandbox, process=process)
    await context.client.report(job, done)
    return "created"


async def _obtain(
    context: LauncherContext, lease: Lease, provider: Provider, number: int, note: str | None
) -> SandboxStatus:
    job = lease.job
    # The gateway's window is counted from the first sending: that can only make it shorter.
    asked_at = context.clock()
    trying = Trying(
        lease_token=job.lease_token,
        provider=provider.name,
        realm=provider.realm,
        name=sandbox_of(job).name,
        try_=number,
        note=note and head_and_tail(note, NOTE_LENGTH),
    )
    may = await context.client.trying(job, trying)
    if not may.create:
        return await _adopt(context, lease, provider)
    await _check_cancelled(context, lease, provider)
    spec = await _spec(context, job)
    if context.clock() >= asked_at + may.create_seconds:
        raise unavailable("the time to create ran out")
    try:
        async with asyncio.timeout(CREATE_SECONDS):
            return await provider.create(spec)
    except TimeoutError as error:
        raise unavailable("the provider did not answer in time") from error


async def _spec(context: LauncherContext, job: Job) -> SandboxSpec:
    env = sandbox_environment(context.forwarded_env, job.env)
    minted = await _github_variables(context, job, has_other="GITHUB_TOKEN" in env)
    return SandboxSpec(
        key=key_of(job),
        snapshot=job.snapshot,
        labels=job.labels,
        env=env | minted,
        job_env=frozenset({*job.env, *minted}),
    )


async def _github_variables(
    context: LauncherContext, job: Job, *, has_other: bool
) -> dict[str, str]:
    """A token of the GitHub App; none if the job brings its own, if its repository is elsewhere, or
    if the App is not installed there and the launcher `has_other`."""
    app, name, repo_url = context.github_app, "GITHUB_TOKEN", job.env.get("TARGET_REPO", "")
    if app is None or name in job.env or is_readdressed(name, job.env) or not app.is_for(repo_url):
        return {}
    try:
        token = await app.token(repo_url)
    except ProviderError as error:
        if error.code == NOT_INSTALLED and has_other:
            return {}
        raise
    own_api = {} if app.settings.api_url == GITHUB_URL else {"GITHUB_API_URL": app.settings.api_url}
    return {name: token.value, TOKEN_EXPIRES_AT: rfc3339(token.expires_at), **own_api}


async def _adopt(context: LauncherContext, lease: Lease, provider: Provider) -> SandboxStatus:
    """No create is allowed: the agent has reported already, or a cancel is pending."""
    await lease.renew()
    await _check_cancelled(context, lease, provider)
    found = await provider.find(key_of(lease.job))
    if found is None:
        raise ProviderError("sandbox_gone", "the sandbox is not there any more", retryable=True)
    return found


async def _wait_created(
    context: LauncherContext, provider: Provider, found: SandboxStatus
) -> SandboxStatus:
    deadline = context.clock() + LAUNCH_SECONDS
    pause = POLL_SECONDS
    while found.state == "creating":
        if context.clock() > deadline:
            raise found.failure or _too_slow(found)
        await context.sleep(pause)
        pause = min(pause * 1.5, LONGEST_POLL_SECONDS)
        seen = await provider.find(found.key)
        if seen is None:
            raise ProviderError("sandbox_gone", "the sandbox went while starting", retryable=True)
        found = seen
    return found


def _may_have_worked(found: SandboxStatus, piece: SpoolPiece, problem: str | None) -> bool:
    """True if its agent may have left work, which inspect and destroy jobs report: it has written
    to its spool, or the spool could not be read. False if the agent was never started."""
    has_written = piece.offset > 0 or piece.has_more
    return found.failure is None and (has_written or problem is not None)


def _too_slow(found: SandboxStatus) -> ProviderError:
    why = f": {found.reason}" if found.reason else ""
    return ProviderError("launch_timeout", f"the sandbox did not start{why}", retryable=True)


async def _not_started(provider: Provider, found: SandboxStatus) -> ProviderError:
    """Removes the sandbox, for the next attempt needs its name."""
    reason = found.reason or (await provider.read_log(found.key)).strip()
    await provider.remove(found.key)
    if found.failure is not None:
        return found.failure
    why = f": {head_and_tail(reason, REASON_LENGTH)}" if reason else ""
    return ProviderError("sandbox_error", f"the sandbox is {found.state}{why}", retryable=True)


def _wrong_snapshot(expected: str, actual: str | None) -> ProviderError:
    return ProviderError(
        "wrong_snapshot",
        f"the sandbox came up from {actual or 'no snapshot'} instead of {expected}, and is "
        "destroyed. `slipgate doctor --live` shows which provider honours the snapshot",
    )


async def _check_cancelled(
    context: LauncherContext, lease: Lease, provider: Provider, made: SandboxStatus | None = None
) -> None:
    """Ends the agent of a cancelled job, removes its sandbox and raises. A sandbox that may hold
    work is left to the destroy job."""
    if not lease.is_cancelled:
        return
    found = made or await provider.find(key_of(lease.job))
    if found is not None:
        check_labels(lease.job, found)
        final = await read_final_spool(context, provider, found.key, 0)
        if not _may_have_worked(found, *final):
            await provider.remove(found.key)
    raise ProviderError(CANCELLED, "cancelled while launching")
