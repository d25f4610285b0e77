"""sweep: reports every sandbox of the gateway's instance in one realm; destroys none."""

from typing import Final

from gateway.wire.launcher import Done, SweptSandbox
from gateway.wire.times import rfc3339
from launcher.jobs.context import LauncherContext
from launcher.jobs.lease import Lease

SANDBOXES_PER_REPORT: Final = 1_000


async def sweep(context: LauncherContext, lease: Lease) -> str:
    job = lease.job
    found = await context.provider_of(job).list_sandboxes(job.instance_id)
    swept = tuple(
        SweptSandbox(
            id=each.id,
            name=each.key.name,
            labels=dict(each.labels),
            state=each.state,
            created_at=rfc3339(each.created_at),
        )
        for each in found[:SANDBOXES_PER_REPORT]
    )
    await context.client.report(job, Done(lease_token=job.lease_token, sandboxes=swept))
    return f"{len(swept)} found"
