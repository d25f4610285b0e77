"""inspect: how a sandbox and its agent are, with what the spool holds."""

from dataclasses import replace

from gateway.wire.launcher import Process
from launcher.jobs.context import (
    LauncherContext,
    absent_report,
    check_labels,
    diagnosis,
    key_of,
    sandbox_report,
)
from launcher.jobs.lease import Lease
from launcher.providers.protocol import Provider, ProviderUnusable, SandboxStatus, SpoolPiece


async def inspect(context: LauncherContext, lease: Lease) -> str:
    """Looks first and reads the spool after: what an agent wrote before it ended is then read."""
    provider = context.provider_of(lease.job)
    found = await provider.find(key_of(lease.job))
    if found is None:
        await context.client.done(lease.job, sandbox=absent_report(provider, lease.job, "gone"))
        return "gone"
    check_labels(lease.job, found)
    try:
        piece = await provider.read_spool(found.key, lease.job.spool_offset)
    except ProviderUnusable as error:
        told = diagnosis(0, reason=found.reason, problem=error.message)
        await context.client.done(
            lease.job, sandbox=sandbox_report(provider, found), diagnosis=told
        )
        return "unread"
    process = piece.process or found.process
    await _tell(context, lease, provider, replace(found, process=process), piece)
    return process.state


async def _tell(
    context: LauncherContext,
    lease: Lease,
    provider: Provider,
    found: SandboxStatus,
    piece: SpoolPiece,
) -> None:
    """While words of the agent are still unread, its end is not told: nobody may judge by it."""
    is_whole = not piece.has_more
    is_over = found.process.state == "exited" or found.state in ("error", "stopped", "destroyed")
    log = await provider.read_log(found.key) if is_whole and is_over else ""
    await context.client.done(
        lease.job,
        sandbox=sandbox_report(provider, found, None if is_whole else "unknown"),
        process=found.process if is_whole else Process(state="unknown"),
        spool=piece.lines,
        spool_offset=piece.offset,
        diagnosis=diagnosis(piece.skipped, log, reason=found.reason),
    )
