"""One job from claim to its canonical log line."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from structlog.typing import FilteringBoundLogger

from gateway.wire.launcher import Job, JobKind
from gateway.wire.redaction import redacted
from gateway.wire.truncation import head_and_tail
from launcher.client import GatewayRejected, GatewayUnreachable, LeaseLost
from launcher.jobs.context import LauncherContext, launch_error
from launcher.jobs.create import create
from launcher.jobs.delegate import delegate
from launcher.jobs.destroy import destroy
from launcher.jobs.inspect import inspect
from launcher.jobs.lease import Lease, run_with_lease
from launcher.jobs.sweep import sweep
from launcher.providers.protocol import ProviderError

KINDS: Mapping[JobKind, Callable[[LauncherContext, Lease], Awaitable[str]]] = MappingProxyType(
    {"create": create, "inspect": inspect, "destroy": destroy, "sweep": sweep}
)
CANCELLED = "cancelled"
"""Nobody wants it any more: that nothing was made is what was to be done."""
SHORTEST_SECRET = 8
"""Of the values that sandboxes get, shorter ones are words like `true`."""
REASON_LENGTH = 500
UNDONE = ("given_back", "lease_lost", "unreported", "broken", "failed")


async def run_job(context: LauncherContext, job: Job, log: FilteringBoundLogger) -> bool:
    """Does the job under its lease and logs one line; whether it was done.

    Raises nothing but its own cancellation; the lease then runs out and the job is offered again.
    """
    start = context.clock()
    line = log.bind(job=job.id, kind=job.kind, task=job.task_id, attempt=job.attempt)
    if job.sandbox:
        line = line.bind(sandbox=job.sandbox.name)
    outcome = "given_back"
    try:
        outcome = await run_with_lease(
            Lease(context.client, job), functools.partial(_work, context, line), sleep=context.sleep
        )
    except LeaseLost:
        outcome = "lease_lost"
    except (GatewayRejected, GatewayUnreachable) as error:
        outcome = "unreported"
        line = line.bind(reason=str(error))
    except Exception as error:  # noqa: BLE001 - the top of a job: one must not end the others
        outcome = "broken"
        line = line.bind(exc_info=error)  # itself: where the line is written nothing is raised
    finally:
        is_done = outcome.partition(" ")[0] not in UNDONE
        say = line.info if is_done else line.warning
        say("job", outcome=outcome, seconds=round(context.clock() - start, 3))
    return is_done


async def _work(context: LauncherContext, log: FilteringBoundLogger, lease: Lease) -> str:
    work = delegate if context.github_actions else KINDS[lease.job.kind]
    try:
        return await work(context, lease)
    except ProviderError as error:
        if error.code != CANCELLED:
            # At once, and not with the job's line: the report may wait long for the gateway.
            log.warning(
                "provider.failed", code=error.code, reason=_reason(context, lease.job, error)
            )
        provider = lease.job.sandbox.provider if lease.job.sandbox else None
        await context.client.failed(lease.job, launch_error(error, provider or context.name))
        return CANCELLED if error.code == CANCELLED else f"failed {error.code}"


def _reason(context: LauncherContext, job: Job, error: ProviderError) -> str:
    """What the provider said, without what was in our hands while it spoke."""
    known = (*context.forwarded_env.values(), *job.env.values())
    secrets = sorted((each for each in known if len(each) >= SHORTEST_SECRET), key=len)
    return head_and_tail(redacted(error.message, reversed(secrets)), REASON_LENGTH)
