"""`GET /v1/tasks/{id}/explain`: what is known of a task, read once and put into words."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.explain import explain
from gateway.domain.explain.explanation import NEWEST, ExplainInput, Explanation, jobs_of
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Task
from gateway.web.context import Context, context_of
from gateway.web.http.replies import reply
from gateway.web.tasks.task_access import visible_task
from gateway.wire.tasks import ExplanationView, StepView
from gateway.wire.times import rfc3339

MOST: Final = 200
"""So many launchers, tasks of the same concurrency key and deliveries are looked at."""


async def show(request: Request) -> Response:
    """`GET /v1/tasks/{id}/explain`."""
    context = context_of(request)
    task, spec = await visible_task(request, context)
    return reply(_view(explain(await _situation(context, task, spec))))


async def _situation(context: Context, task: Task, spec: Spec) -> ExplainInput:
    """Every read is bounded and goes by an index, however long the task's history is."""
    reads = context.reads
    attempts = tuple(await reads.attempts(task.id))
    jobs, launchers, holders, events, owed, secrets = await asyncio.gather(
        reads.jobs(jobs_of(task, attempts)),
        reads.recent_launchers(task.project, MOST),
        reads.key_holders(task, MOST),
        reads.newest_events(task.id, NEWEST),
        reads.undelivered(task.id, MOST),
        reads.secrets(task.id),
    )
    return ExplainInput(
        now=context.clock(),
        policy=context.policy,
        task=task,
        spec=spec,
        attempts=attempts,
        jobs=tuple(jobs),
        launchers=tuple(launchers),
        key_holders=tuple(holders),
        events=tuple(events),
        deliveries=tuple(owed),
        has_env=secrets is not None and secrets.env is not None,
        is_env_erased=secrets is not None and secrets.env_erased_at is not None,
    )


def _view(explanation: Explanation) -> ExplanationView:
    return ExplanationView(
        status=explanation.status,
        summary=explanation.summary,
        waiting_for=explanation.waiting_for,
        next=tuple(StepView(at=rfc3339(step.at), what=step.what) for step in explanation.next),
        evidence=explanation.evidence,
    )
