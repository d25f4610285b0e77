"""sweep: every sandbox of the gateway's instance in one realm; the gateway judges them."""

from gateway.wire.launcher import SweptSandbox
from gateway.wire.times import rfc3339
from launcher.jobs.context import LauncherContext
from launcher.jobs.lease import Lease
from launcher.providers.protocol import SandboxStatus

SANDBOXES_PER_REPORT = 1_000


async def sweep(context: LauncherContext, lease: Lease) -> str:
    """Lists, destroys nothing."""
    provider = context.provider_of(lease.job)
    found = (await provider.list_sandboxes(lease.job.instance_id))[:SANDBOXES_PER_REPORT]
    await context.client.done(lease.job, sandboxes=tuple(_swept(each) for each in found))
    return f"{len(found)} found"


def _swept(found: SandboxStatus) -> SweptSandbox:
    return SweptSandbox(
        id=found.id,
        name=found.key.name,
        labels=dict(found.labels),
        state=found.state,
        created_at=rfc3339(found.created_at),
    )
