"""`GET /v1/reconcile`: a dry run of the reconciler."""

from typing import Final

import msgspec
from starlette.responses import Response

from gateway.domain.kernel.commands import JobDue, RealmDue, TaskDue
from gateway.domain.launching.job import Job
from gateway.domain.operations.dry_run import Due, PlannedChange, dry_run
from gateway.web.convert import convert
from gateway.web.http.access import OPS
from gateway.web.http.call import Call
from gateway.web.http.operation import Operation, answer
from gateway.web.http.query import Number
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


@Operation(
    id="rehearseReconciler",
    tag="Operations",
    summary="What the reconciler would do now, without doing it",
    description="Its own rules decide, on a copy that is thrown away.",
    access=OPS,
    query=(LIMIT, WITHIN),
    answers=(answer(ReconcileView, "What is due, and what would come of it."),),
)
async def show(call: Call[None]) -> Response:
    context, limit, within = call.context, call[LIMIT], call[WITHIN]
    now = context.clock()
    at = now + within * 1000
    reads = context.reads
    # In the order of the reconciler.
    commands: list[Due] = [RealmDue(key=key) for key in await reads.due_realms(at, limit + 1)]
    commands += [TaskDue(task_id=name) for name in await reads.due_tasks(at, limit + 1)]
    commands += [JobDue(job_id=name) for name in await reads.due_jobs(at, limit + 1)]
    unit = await reads.unit_of_work(
        [command.needs for command in commands[:limit]], context.policy, at
    )
    unit.pulse.last = None if within else await reads.last_pulse()
    found = dry_run(unit, commands[:limit], at)
    return reply(
        ReconcileView(
            at=rfc3339(at),
            data=tuple(map(_planned, found.planned)),
            is_whole=len(commands) <= limit,
            next_due_at=maybe_rfc3339(await reads.next_due()),
            outage_since=maybe_rfc3339(found.outage_since),
        )
    )


def _planned(change: PlannedChange) -> DryRunStepView:
    before, after = change.before, change.after
    return DryRunStepView(
        task_id=before.id if before else None,
        job_id=change.job_id,
        realm="@".join(change.realm[:2]) if change.realm else None,
        status=before.status if before else None,
        due=tuple(convert(DueView, clock) for clock in change.due),
        next_status=after.status if after else None,
        next_deadline=deadline_view(after) if after else None,
        events=tuple(
            convert(DryRunEventView, event, data=msgspec.Raw(event.data)) for event in change.events
        ),
        jobs=tuple(map(_job, change.jobs)),
    )


def _job(job: Job) -> DryRunJobView:
    state = "open" if job.leased_by is None else "held"
    return convert(DryRunJobView, job, state=state if job.is_open else "closed")
