"""Tasks: create, show, cancel, retry, purge, release a sandbox, issue stream tokens."""

import re
from functools import partial
from typing import Final

from starlette.responses import Response

from gateway.domain.kernel.answers import TaskReply
from gateway.domain.kernel.commands import (
    CancelTask,
    Cause,
    PurgeTask,
    ReleaseSandbox,
    RetryTask,
)
from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.purge import purged
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.stream_token import LIFETIME, REFRESH, stream_token
from gateway.store.records import TaskWithSpec
from gateway.web.context import Context
from gateway.web.deliveries.messages import EVENT_MESSAGE
from gateway.web.http.access import OPS, READ_OR_TOKEN, TASKS
from gateway.web.http.body import TASK_LIMIT, Nothing
from gateway.web.http.call import Call
from gateway.web.http.fields import wrong_field
from gateway.web.http.headers import IDEMPOTENCY_KEY, REPLAYABLE, TRACEPARENT
from gateway.web.http.operation import CHANGE, DRY_RUN, NOTHING, Answer, Body, Operation, answer
from gateway.web.http.replies import reply
from gateway.web.tasks.creation import creation
from gateway.web.tasks.included import INCLUDE, whole_task_view
from gateway.web.tasks.task_access import task_of
from gateway.web.tasks.views import task_view
from gateway.wire.message import Change
from gateway.wire.tasks import NewTask, Purge, Release, StreamToken, TaskView, WholeTaskView
from gateway.wire.times import rfc3339

_ATTEMPT: Final = re.compile(r"[1-9][0-9]{0,6}")
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
operation: Final = partial(Operation, tag="Tasks")


def _accepted(meaning: str, example: str = "") -> Answer:
    return answer(TaskView, meaning, status=202, example=example, headers=REPLAYABLE)


@operation(
    id="createTask",
    summary="Hand over a task",
    description="It is answered after the commit: from then on the task is never lost.",
    access=TASKS,
    headers=(IDEMPOTENCY_KEY, TRACEPARENT),
    body=Body(kind=NewTask, limit=TASK_LIMIT),
    callback=EVENT_MESSAGE,
    answers=(_accepted("The task, stored."),),
    errors=(
        *("invalid_idempotency_key", "idempotency_mismatch", "reserved_env", "repo_not_allowed"),
        *("not_finished", "task_purged", "intake_paused"),
    ),
)
async def create(call: Call[NewTask]) -> Response:
    context, key, began = call.context, call.key, call.context.clock()
    if call.body.provider is not None and key.scope != "ops":
        raise ApiError("forbidden", "`provider` may be named by ops alone.")
    trace = call.headers.get("traceparent")  # one of another form than W3C's is none
    command = creation(
        context,
        call.body,
        task_id=context.new_id("task"),
        project=key.project,
        earlier=await _earlier(context, call.body.continue_of, key.project),
        idempotency=call.idempotency(),
        traceparent=trace if trace is not None and _TRACEPARENT.fullmatch(trace) else None,
    )
    answer = await call.ask(command, TaskReply)
    if answer.replayed:
        return _reply(answer, await _spec_of(context, answer.task.id))
    context.metrics.traces.record_request(answer.task, "POST /v1/tasks", began)
    return _reply(answer, command.spec)


async def _earlier(context: Context, name: str | None, project: str) -> TaskWithSpec | None:
    """The task that `continueOf` names."""
    if name is None:
        return None
    found = await context.reads.task(name)
    if found is None or found[0].project != project:
        raise wrong_field("$.continueOf", "Expected a task of this project")
    return found


@operation(
    id="showTask",
    summary="Show a task as it stands",
    description="`include` adds its attempts, and the deliveries of its events.",
    access=READ_OR_TOKEN,
    query=(INCLUDE,),
    answers=(answer(WholeTaskView, "The task, with what `include` asked for."),),
    errors=("not_found",),
)
async def show(call: Call[None]) -> Response:
    task, spec = await task_of(call)
    wanted = call[INCLUDE]
    return reply(await whole_task_view(call, task, spec) if wanted else task_view(task, spec))


@operation(
    id="cancelTask",
    summary="Ask a task to stop",
    description="Idempotent. Work that is done by then is done, and is what the task reports.",
    access=TASKS,
    headers=(IDEMPOTENCY_KEY,),
    body=CHANGE,
    answers=(
        _accepted("The task, with `cancelRequestedAt`.", "TaskView:cancelling"),
        answer(TaskView, DRY_RUN, example="TaskView:cancelling"),
    ),
    errors=("invalid_idempotency_key", "not_found", "already_finished"),
)
async def cancel(call: Call[Change]) -> Response:
    return await _change(call, CancelTask)


@operation(
    id="retryTask",
    summary="Open the next attempt of a task that has ended",
    description="Also past `maxAttempts`, which binds automatic retries alone.",
    access=TASKS,
    headers=(IDEMPOTENCY_KEY,),
    body=CHANGE,
    answers=(_accepted("The task, queued again."), answer(TaskView, DRY_RUN)),
    errors=(
        *("invalid_idempotency_key", "not_found", "not_finished", "env_expired", "task_purged"),
        "intake_paused",
    ),
)
async def retry(call: Call[Change]) -> Response:
    return await _change(call, RetryTask)


@operation(
    id="releaseSandbox",
    summary="Declare the sandbox of an ended attempt gone",
    description="For one whose end nobody can confirm. What waited for it goes on. Idempotent.",
    access=OPS,
    body=Body(kind=Release),
    answers=(answer(TaskView, "The task as it now stands."),),
    errors=("not_found", "not_finished"),
)
async def release(call: Call[Release]) -> Response:
    if not _ATTEMPT.fullmatch(call.path["attempt"]):
        raise ApiError("not_found", "There is no such attempt.")
    command = ReleaseSandbox(
        task_id=call.path["task_id"],
        project=call.project,
        attempt=int(call.path["attempt"]),
        reason=call.body.reason,
    )
    answer = await call.ask(command, TaskReply)
    return reply(task_view(answer.task, await _spec_of(call.context, answer.task.id)))


@operation(
    id="purgeTask",
    summary="Remove the contents of an ended task",
    description=(
        "Prompt, title, env, log, patch, receipts, turns and the bodies of webhooks go; states, "
        "events, usage, branch and pull request stay. Reads of what is gone are `task_purged`. "
        "Idempotent, and for good."
    ),
    access=OPS,
    body=Body(kind=Purge),
    answers=(answer(TaskView, "The task, with `purgedAt`.", example="TaskView:purged"),),
    errors=("not_found", "not_finished", "sandbox_alive"),
)
async def purge(call: Call[Purge]) -> Response:
    cause = Cause(reason=call.body.reason)
    answer = await call.ask(PurgeTask(task_id=call.path["task_id"], cause=cause), TaskReply)
    spec = await _spec_of(call.context, answer.task.id)
    call.context.pages.forget()
    return reply(task_view(answer.task, purged(spec) if call.is_dry_run else spec))


@operation(
    id="issueStreamToken",
    summary="Let a browser read one task for an hour",
    description=(
        "`token` is given to a page, which reads this task, its events, logs and patch with "
        "`?token=`, from any origin and without cookies. A stream ends when its token does."
    ),
    access=TASKS,
    body=NOTHING,
    answers=(answer(StreamToken, "The token, and where to use it."),),
    errors=("not_found",),
)
async def issue_stream_token(call: Call[Nothing]) -> Response:
    context = call.context
    task, _ = await task_of(call)
    ends_at = context.clock() + LIFETIME
    token = stream_token(context.keyring, task.id, ends_at)
    base = context.public_url or str(call.request.base_url)
    granted = StreamToken(
        token=token,
        expires_at=rfc3339(ends_at),
        refresh_at=rfc3339(ends_at - REFRESH),
        url=f"{base.rstrip('/')}/v1/tasks/{task.id}/events?token={token}",
    )
    return reply(granted, headers={"Cache-Control": "no-store"})


async def _change(call: Call[Change], kind: type[CancelTask]) -> Response:
    command = kind(
        task_id=call.path["task_id"],
        project=call.project,
        idempotency=call.idempotency(),
        cause=Cause(reason=call.reason) if call.reason is not None else None,
    )
    answer = await call.ask(command, TaskReply)
    return _reply(answer, await _spec_of(call.context, answer.task.id), call.status(202))


async def _spec_of(context: Context, task_id: str) -> Spec:
    spec = await context.reads.spec(task_id)
    if spec is None:
        raise ApiError("not_found", "There is no such task.")
    return spec


def _reply(answer: TaskReply, spec: Spec, status: int = 202) -> Response:
    view = task_view(answer.task, spec)
    location = f"/v1/tasks/{answer.task.id}" if status == 202 else ""
    return reply(view, status, location=location, is_replayed=answer.replayed)
