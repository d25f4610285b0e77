"""`GET /v1/reconcile`: what the reconciler would do, by its own rules and without doing it."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.kernel.commands import JobDue, RealmDue, TaskDue
from gateway.domain.launching.job import Job
from gateway.domain.operations.dry_run import Due, PlannedChange, dry_run
from gateway.web.context import context_of
from gateway.web.http.auth import OPS, authorize
from gateway.web.http.query import Number, known_only
from gateway.web.http.replies import reply
from gateway.web.tasks.views import deadline_view
from gateway.wire.operations import (
    DryRunEventView,
    DryRunJobView,
    DryRunStepView,
    DueView,
    ReconcileView,
)
from gateway.wire.times import maybe_rfc3339, rfc3339

LIMIT: Final = Number(
    name="limit", default=50, least=1, most=200, meaning="At most so many tasks, jobs and realms."
)
WITHIN: Final = Number(
    name="within",
    default=0,
    least=0,
    most=86_400,
    meaning="What would be done in so many seconds, if nothing else came in between.",
)
PARAMETERS: Final = (LIMIT, WITHIN)


async def show(request: Request) -> Response:
    """`GET /v1/reconcile`."""
    context = context_of(request)
    await authorize(request, context.keys, OPS)
    known_only(request, PARAMETERS)
    limit, within = LIMIT.of(request), WITHIN.of(request)
    now = context.clock()
    at = now + within * 1000
    reads = context.reads
    # In the order of the reconciler.
    commands: list[Due] = [RealmDue(key=key) for key in await reads.due_realms(at, limit + 1)]
    commands += [TaskDue(task_id=name) for name in await reads.due_tasks(at, limit + 1)]
    commands += [JobDue(job_id=name) for name in await reads.due_jobs(at, limit + 1)]
    view = await reads.unit_of_work(
        [command.needs for command in commands[:limit]], context.policy, at
    )
    view.pulse.last = None if within else await reads.last_pulse()
    found = dry_run(view, commands[:limit], at)
    return reply(
        ReconcileView(
            at=rfc3339(at),
            data=tuple(map(_foreseen, found.planned)),
            is_whole=len(commands) <= limit,
            next_due_at=maybe_rfc3339(await reads.next_due()),
            outage_since=maybe_rfc3339(found.outage_since),
        )
    )


def _foreseen(seen: PlannedChange) -> DryRunStepView:
    before, after = seen.before, seen.after
    return DryRunStepView(
        task_id=before.id if before else None,
        job_id=seen.job_id,
        realm="@".join(seen.realm[:2]) if seen.realm else None,
        status=before.status if before else None,
        due=tuple(DueView(what=clock.what, since=rfc3339(clock.since)) for clock in seen.due),
        next_status=after.status if after else None,
        next_deadline=deadline_view(after) if after else None,
        events=tuple(
            DryRunEventView(
                task_id=event.task_id,
                attempt=event.attempt,
                type=event.type,
                data=msgspec.Raw(event.data),
            )
            for event in seen.events
        ),
        jobs=tuple(map(_job, seen.jobs)),
    )


def _job(job: Job) -> DryRunJobView:
    state = "open" if job.leased_by is None else "held"
    return DryRunJobView(
        id=job.id,
        kind=job.kind,
        state=state if job.is_open else "closed",
        not_before=rfc3339(job.not_before),
    )
