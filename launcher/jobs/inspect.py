"""inspect: reports the state of a sandbox and its agent, and the next piece of the spool."""

from dataclasses import replace

from gateway.wire.launcher import Done, Job, Process
from launcher.jobs.context import (
    LauncherContext,
    check_labels,
    diagnosis,
    gone_report,
    key_of,
    sandbox_report,
)
from launcher.jobs.lease import Lease
from launcher.providers.protocol import (
    Provider,
    ProviderError,
    ProviderUnusable,
    SandboxStatus,
    SpoolPiece,
)


async def inspect(context: LauncherContext, lease: Lease) -> str:
    """Reads the spool after the status, so that it holds all that an ended agent wrote."""
    job = lease.job
    provider = context.provider_of(job)
    found = await provider.find(key_of(job))
    if found is None:
        gone = gone_report(provider, job)
        await context.client.report(job, Done(lease_token=job.lease_token, sandbox=gone))
        return "gone"
    check_labels(job, found)
    try:
        piece = await provider.read_spool(found.key, job.spool_offset)
    except ProviderError as error:
        # The state counts without the spool where that cannot be read later either: else a broken
        # sandbox would stand as running until its time is over.
        may_pass = error.retryable and not isinstance(error, ProviderUnusable)
        if may_pass and found.state != "stopped":
            raise
        note = diagnosis(context, job, 0, reason=found.reason, problem=error.message)
        sandbox = sandbox_report(provider, found)
        done = Done(lease_token=job.lease_token, sandbox=sandbox, diagnosis=note)
        await context.client.report(job, done)
        return "unread"
    process = piece.process or found.process
    done = await _result(context, job, provider, replace(found, process=process), piece)
    await context.client.report(job, done)
    return process.state


async def _result(
    context: LauncherContext, job: Job, provider: Provider, found: SandboxStatus, piece: SpoolPiece
) -> Done:
    """Hides the agent's end while a part of its spool is unread: nothing may be decided by it."""
    is_whole = not piece.has_more
    is_over = found.process.state == "exited" or found.state in ("error", "stopped", "destroyed")
    log = await provider.read_log(found.key) if is_whole and is_over else ""
    return Done(
        lease_token=job.lease_token,
        sandbox=sandbox_report(provider, found, None if is_whole else "unknown"),
        process=found.process if is_whole else Process(state="unknown"),
        spool=piece.lines,
        spool_offset=piece.offset,
        diagnosis=diagnosis(context, job, piece.skipped, log, reason=found.reason),
    )
