"""`GET /v1/tasks/{id}/explain`: the state of a task in sentences."""

import asyncio
from typing import Final

from starlette.responses import Response

from gateway.domain.explain import explain
from gateway.domain.explain.explanation import NEWEST, ExplainInput, jobs_of
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Task
from gateway.web.context import Context
from gateway.web.convert import convert
from gateway.web.http.access import READ
from gateway.web.http.call import Call
from gateway.web.http.operation import Operation, answer
from gateway.web.http.replies import reply
from gateway.web.tasks.task_access import task_of
from gateway.wire.tasks import ExplanationView, StepView

MOST: Final = 200
"""Launchers, tasks of the same concurrency key and deliveries that are read."""


@Operation(
    id="explainTask",
    tag="Tasks",
    summary="Say why a task stands where it stands",
    description="The texts are for people: read `status` and `next[].at`, show the rest.",
    access=READ,
    answers=(answer(ExplanationView, "A sentence, what is next, and evidence."),),
    errors=("not_found",),
)
async def show(call: Call[None]) -> Response:
    task, spec = await task_of(call)
    explanation = explain(await _read(call.context, task, spec))
    steps = tuple(convert(StepView, step) for step in explanation.next)
    return reply(convert(ExplanationView, explanation, next=steps))


async def _read(context: Context, task: Task, spec: Spec) -> ExplainInput:
    """Every read is bounded and goes by an index, however long the task's history is."""
    reads = context.reads
    attempts = tuple(await reads.attempts(task.id))
    jobs, launchers, holders, events, deliveries, secrets = await asyncio.gather(
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
        deliveries=tuple(deliveries),
        pauses=tuple(await reads.pauses(context.clock())),
        has_env=secrets is not None and secrets.env is not None,
        is_env_erased=secrets is not None and secrets.env_erased_at is not None,
    )
