"""delegate: another launcher is asked to start elsewhere, and claims this very job."""

from datetime import datetime, timedelta
from typing import Final

from gateway.wire.launcher import Job
from gateway.wire.times import parse_rfc3339
from launcher.jobs.context import LauncherContext
from launcher.jobs.lease import Lease
from launcher.providers.github_actions import GitHubActions
from launcher.providers.protocol import ProviderError

DELEGATION: Final = timedelta(minutes=7)
"""For our tries to ask, and for the wait in GitHub's queue; then the gateway offers it again. Twice
the launch clock is longer, so that a run that never came costs one launch at most."""


async def delegate(context: LauncherContext, lease: Lease) -> str:
    """Delegates first and asks afterwards: a run that is quick must be able to claim it."""
    github_actions = _elsewhere(context)
    if lease.job.kind == "sweep":
        github_actions.check_sweep()
    note = f"asked GitHub Actions for a run of {github_actions.workflow}"
    await context.client.delegate(lease.job, until=_until(lease.job), note=note)
    address = await github_actions.start(lease.job.id)
    return f"delegated {address}".strip()


def _elsewhere(context: LauncherContext) -> GitHubActions:
    if context.github_actions is None:
        raise ProviderError("invalid_job", "nobody is there to delegate to", retryable=False)
    return context.github_actions


def _until(job: Job) -> datetime:
    """Reckoned from the gateway's own clock, which is not ours."""
    expires = parse_rfc3339(job.lease_expires_at)
    if expires is None:
        raise ProviderError("invalid_job", "the job's lease has no end", retryable=False)
    return expires - timedelta(seconds=job.lease_seconds) + DELEGATION
