"""destroy: stop everything, hand over the spool and what the agent left, then delete."""

from gateway.wire.launcher import Job, Sandbox
from launcher.jobs.context import (
    LauncherContext,
    absent_report,
    check_labels,
    diagnosis,
    key_of,
    sandbox_report,
)
from launcher.jobs.last_words import read_final_spool
from launcher.jobs.lease import Lease
from launcher.jobs.rescue import rescue
from launcher.providers.protocol import Provider, SandboxStatus


async def destroy(context: LauncherContext, lease: Lease) -> str:
    """Ends the job's sandbox; of one that is not there the gateway judges whether that is final.

    What `find` does not find is treated as if it were there: lists flap, so it may hold a spool,
    and a create or a removal that was cut short leaves files without a record.
    """
    provider = context.provider_of(lease.job)
    found = await provider.find(key_of(lease.job))
    if found is not None:
        check_labels(lease.job, found)
    return await _hand_over(context, lease, provider, found)


async def _hand_over(
    context: LauncherContext, lease: Lease, provider: Provider, found: SandboxStatus | None
) -> str:
    """Files go only after the gateway has the spool, and `destroyed` is said only after the files
    went: whatever a crash comes between, somebody is asked again.

    While the spool holds words the sandbox stays as it is; the gateway offers the job again at
    once, and it goes on from the offset reported here.
    """
    key = key_of(lease.job)
    piece, problem = await read_final_spool(context, provider, key, lease.job.spool_offset)
    told = diagnosis(piece.skipped, problem=problem)
    if piece.lines or piece.has_more:
        await context.client.done(
            lease.job,
            sandbox=sandbox_report(provider, found) if found else None,
            process=found.process if found else None,
            spool=piece.lines,
            spool_offset=piece.offset,
            diagnosis=told,
        )
        return "draining"
    if lease.job.rescue:
        problem = await rescue(context, lease.job, provider)
        told = "; ".join(filter(None, (told, problem))) or None
    await provider.remove(key)
    await context.client.done(lease.job, sandbox=_ended(provider, lease.job, found), diagnosis=told)
    return "destroyed" if found else "gone"


def _ended(provider: Provider, job: Job, found: SandboxStatus | None) -> Sandbox:
    """Not `destroyed` where nothing was seen: a create may still be under way, and the gateway
    alone knows how long."""
    if found is None:
        return absent_report(provider, job, "gone")
    return sandbox_report(provider, found, "destroyed")
