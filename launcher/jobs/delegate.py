"""delegate: asks GitHub Actions for a launcher that claims this very job."""

from datetime import datetime, timedelta
from typing import Final

from gateway.wire.launcher import Delegate, Job
from gateway.wire.times import parse_rfc3339
from launcher.jobs.context import LauncherContext
from launcher.jobs.lease import Lease
from launcher.providers.protocol import ProviderError

DELEGATION: Final = timedelta(minutes=7)
"""Time for the dispatch and for GitHub's queue; afterwards the gateway offers the job again. Twice
the launch clock is longer, so that a run that never started costs one launch at most."""


async def delegate(context: LauncherContext, lease: Lease) -> str:
    """Delegates before it dispatches: a fast run must be able to claim the job."""
    workflow = context.github_actions
    if workflow is None:
        raise ProviderError("invalid_job", "there is no workflow to delegate to")
    job = lease.job
    if job.kind == "sweep":
        workflow.check_sweep()
    note = f"asked GitHub Actions for a run of {workflow.workflow}"
    report = Delegate(lease_token=job.lease_token, until=_until(job), note=note)
    await context.client.report(job, report)
    return f"delegated {await workflow.start(job.id)}".strip()


def _until(job: Job) -> datetime:
    """End of the delegation, by the gateway's clock."""
    expires = parse_rfc3339(job.lease_expires_at)
    if expires is None:
        raise ProviderError("invalid_job", "the job's lease has no end")
    return expires - timedelta(seconds=job.lease_seconds) + DELEGATION
