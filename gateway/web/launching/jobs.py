"""Claimed jobs as launchers get them."""

import msgspec

from gateway.domain.kernel import commands
from gateway.domain.kernel.answers import ClaimedJob
from gateway.domain.kernel.keyring import UnknownKey, Unreadable
from gateway.domain.launching.job import INSTANCE, LABELS, Job, OrphanSandbox, labels, owner
from gateway.domain.launching.sandbox_identity import sandbox_name
from gateway.domain.tasks.event import Retried
from gateway.domain.tasks.task import Attempt, Usage
from gateway.web.agents.patches import needs_rescue
from gateway.web.context import Context
from gateway.web.launching.sandbox_env import launch_env
from gateway.web.tasks.patches import resumable_patch
from gateway.wire import launcher as wire
from gateway.wire.times import rfc3339


async def readable_job(context: Context, claimed: ClaimedJob) -> wire.Job | None:
    """The job; None if its secrets cannot be opened: that job alone fails, and for good."""
    try:
        return await _job(context, claimed)
    except (UnknownKey, Unreadable) as exc:
        error = wire.LaunchError(
            code="env_unreadable", message=f"Its secrets cannot be opened: {exc}.", retryable=False
        )
        job = claimed.job
        await context.submit(commands.FailJob(job_id=job.id, lease_token=job.token, error=error))
        return None


async def _job(context: Context, claimed: ClaimedJob) -> wire.Job:
    job, task, attempt = claimed.job, claimed.task, claimed.attempt
    bare = wire.Job(
        id=job.id,
        kind=job.kind,
        lease_token=job.token,
        lease_expires_at=rfc3339(job.lease_expires_at or context.clock()),
        lease_seconds=context.policy.lease // 1000,
        instance_id=context.instance_id,
        labels={INSTANCE: context.instance_id},
    )
    if job.orphan is not None:
        return _orphan_job(bare, job, job.orphan)
    if task is None or attempt is None:
        unnamed = wire.JobSandbox(name="", provider=job.provider, realm=job.realm)
        return msgspec.structs.replace(bare, sandbox=unnamed)
    sandbox = attempt.sandbox
    return msgspec.structs.replace(
        bare,
        task_id=task.id,
        attempt=attempt.number,
        sandbox=wire.JobSandbox(
            name=sandbox.name if sandbox else sandbox_name(task.id, attempt.number),
            id=sandbox.id if sandbox else None,
            provider=attempt.provider or job.provider,
            realm=attempt.realm if attempt.realm is not None else job.realm,
        ),
        snapshot=task.snapshot,
        labels=labels(context.instance_id, task.id, attempt.number),
        env=await _env(context, claimed),
        spool_offset=attempt.spool_offset,
        rescue=job.kind == "destroy" and await needs_rescue(context.reads, attempt),
    )


def _orphan_job(bare: wire.Job, job: Job, orphan: OrphanSandbox) -> wire.Job:
    """The job of a sandbox that only its labels describe."""
    task_id, attempt = owner(orphan.labels)
    return msgspec.structs.replace(
        bare,
        task_id=task_id or None,
        attempt=attempt or None,
        sandbox=wire.JobSandbox(
            name=orphan.name, id=orphan.id, provider=job.provider, realm=job.realm
        ),
        labels={name: text for name, text in orphan.labels.items() if name in LABELS},
        spool_offset=orphan.spool_offset,
    )


async def _env(context: Context, claimed: ClaimedJob) -> dict[str, str]:
    task, attempt = claimed.task, claimed.attempt
    if claimed.job.kind != "create" or task is None or attempt is None:
        return {}
    spec = await context.reads.spec(task.id)
    if spec is None:
        return {}
    secrets = await context.reads.secrets(task.id)
    resumed = await resumable_patch(context.reads, task.id, attempt.number)
    return launch_env(
        context.keyring,
        context.public_url,
        (task, attempt),
        spec,
        secrets,
        may_resume=resumed is not None,
        spent=await _spent(context, attempt),
    )


async def _spent(context: Context, attempt: Attempt) -> Usage:
    """The usage of the attempts before it, back to the one that a person asked for."""
    if attempt.number == 1:
        return Usage()
    retries = await context.reads.events_of_types(attempt.task_id, ["task.retried"])
    asked = (each.fact for each in retries if each.source == "api")
    first = max((fact.attempt for fact in asked if isinstance(fact, Retried)), default=1)
    earlier = [
        each.usage
        for each in await context.reads.attempts(attempt.task_id)
        if first <= each.number < attempt.number
    ]
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in earlier),
        output_tokens=sum(usage.output_tokens for usage in earlier),
        cost_usd=sum(usage.cost_usd for usage in earlier),
        turns=sum(usage.turns for usage in earlier),
    )
