"""One job from its claim to its canonical log line."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from structlog.typing import FilteringBoundLogger

from gateway.wire.launcher import Failed, Job, JobKind, LaunchError
from gateway.wire.truncation import head_and_tail
from launcher.client import NOTE_LENGTH, GatewayRejected, GatewayUnreachable, LeaseLost
from launcher.jobs.context import LauncherContext
from launcher.jobs.create import CANCELLED, create
from launcher.jobs.delegate import delegate
from launcher.jobs.destroy import destroy
from launcher.jobs.inspect import inspect
from launcher.jobs.lease import Lease, run_with_lease
from launcher.jobs.sweep import sweep
from launcher.providers.protocol import ProviderError

KINDS: Mapping[JobKind, Callable[[LauncherContext, Lease], Awaitable[str]]] = MappingProxyType(
    {"create": create, "inspect": inspect, "destroy": destroy, "sweep": sweep}
)
REASON_LENGTH: Final = 500
UNDONE: Final = ("given_back", "lease_lost", "unreported", "broken", "failed")


async def run_job(context: LauncherContext, job: Job, log: FilteringBoundLogger) -> bool:
    """Runs the job under its lease and logs one line; True if it was done. Only its cancellation
    is raised: the lease then expires and the job is offered again."""
    start = context.clock()
    line = log.bind(job=job.id, kind=job.kind, task=job.task_id, attempt=job.attempt)
    if job.sandbox:
        line = line.bind(sandbox=job.sandbox.name)
    outcome = "given_back"
    try:
        work = functools.partial(_work, context, line)
        outcome = await run_with_lease(Lease(context.client, job), work, sleep=context.sleep)
    except LeaseLost:
        outcome = "lease_lost"
    except (GatewayRejected, GatewayUnreachable) as error:
        outcome = "unreported"
        line = line.bind(reason=str(error))
    except Exception as error:  # noqa: BLE001 - the top of a job: one must not end the others
        outcome = "broken"
        line = line.bind(exc_info=error)  # itself: no exception is active where the line is logged
    finally:
        is_done = outcome.partition(" ")[0] not in UNDONE
        emit = line.info if is_done else line.warning
        emit("job", outcome=outcome, seconds=round(context.clock() - start, 3))
    return is_done


async def _work(context: LauncherContext, log: FilteringBoundLogger, lease: Lease) -> str:
    job = lease.job
    work = delegate if context.github_actions else KINDS[job.kind]
    try:
        return await work(context, lease)
    except ProviderError as error:
        message = context.without_secrets(job, error.message)
        if error.code != CANCELLED:
            # At once, and not with the job's line: the report may wait long for the gateway.
            reason = head_and_tail(message, REASON_LENGTH)
            log.warning("provider.failed", code=error.code, reason=reason)
        provider = job.sandbox.provider if job.sandbox else None
        failure = LaunchError(
            code=error.code,
            message=head_and_tail(message, NOTE_LENGTH),
            retryable=error.retryable,
            provider=provider or context.name,
        )
        await context.client.report(job, Failed(lease_token=job.lease_token, error=failure))
        return CANCELLED if error.code == CANCELLED else f"failed {error.code}"
