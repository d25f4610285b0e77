"""destroy: ends the agent, reports its spool and its patch, then removes the sandbox."""

from gateway.wire.launcher import Created, Done, Job
from launcher.jobs.context import (
    LauncherContext,
    check_labels,
    diagnosis,
    gone_report,
    key_of,
    sandbox_report,
)
from launcher.jobs.lease import Lease
from launcher.jobs.rescue import read_final_spool, rescue
from launcher.providers.protocol import Provider, SandboxStatus, SpoolPiece


async def destroy(context: LauncherContext, lease: Lease) -> str:
    """While the spool has lines the sandbox stays: the gateway offers the job again at once, from
    the offset reported here. A sandbox that is not found is removed all the same: lists flap, so it
    may hold a spool, and an interrupted create or removal leaves files without a record. The id of
    a sandbox that nobody has reported yet is reported first: should this launcher die after the
    removal, its absence is conclusive only by an id."""
    job, key = lease.job, key_of(lease.job)
    provider = context.provider_of(job)
    found = await provider.find(key)
    if found is not None:
        check_labels(job, found)
        if key.id is None and job.task_id is not None:
            sandbox = sandbox_report(provider, found)
            await context.client.report(job, Created(lease_token=job.lease_token, sandbox=sandbox))
    piece, problem = await read_final_spool(context, provider, key, job.spool_offset)
    note = diagnosis(context, job, piece.skipped, problem=problem)
    if piece.lines or piece.has_more:
        await context.client.report(job, _draining(job, provider, found, piece, note))
        return "draining"
    if job.rescue:
        problem = await rescue(context, job, provider)
        note = "; ".join(filter(None, (note, problem))) or None
    await provider.remove(key)
    # Not `destroyed` if it was not found: a create may still be under way.
    sandbox = sandbox_report(provider, found, "destroyed") if found else gone_report(provider, job)
    done = Done(lease_token=job.lease_token, sandbox=sandbox, diagnosis=note)
    await context.client.report(job, done)
    return "destroyed" if found else "gone"


def _draining(
    job: Job, provider: Provider, found: SandboxStatus | None, piece: SpoolPiece, note: str | None
) -> Done:
    return Done(
        lease_token=job.lease_token,
        sandbox=sandbox_report(provider, found) if found else None,
        process=found.process if found else None,
        spool=piece.lines,
        spool_offset=piece.offset,
        diagnosis=note,
    )
