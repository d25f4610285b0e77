"""Tasks: create, show, list, cancel, retry."""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.kernel.answers import TaskReply
from gateway.domain.kernel.commands import CancelTask, ReleaseSandbox, RetryTask
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import typeid
from gateway.domain.tasks.spec import Spec
from gateway.store.records import NEWEST
from gateway.web.context import Context, context_of
from gateway.web.http.auth import (
    OPS,
    READ,
    TASKS,
    authorize,
    project_of,
)
from gateway.web.http.body import TASK_LIMIT, read_as, read_nothing
from gateway.web.http.cursors import cursor_after, task_before
from gateway.web.http.headers import headers_of
from gateway.web.http.idempotency import REPLAYED, idempotency_of
from gateway.web.http.query import known_only
from gateway.web.http.replies import reply
from gateway.web.tasks.creation import creation
from gateway.web.tasks.filters import CURSOR, LIMIT, task_filter
from gateway.web.tasks.included import INCLUDE, whole_task_view
from gateway.web.tasks.task_access import TOKEN, readable_task
from gateway.web.tasks.views import task_view
from gateway.wire.tasks import NewTask, Page, Release, TaskView

_ATTEMPT: Final = re.compile(r"[1-9][0-9]{0,6}")
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


async def create(request: Request) -> Response:
    """`POST /v1/tasks`."""
    context = context_of(request)
    key = await authorize(request, context.keys, TASKS)
    wanted = await read_as(NewTask, request, limit=TASK_LIMIT)
    if wanted.provider is not None and key.scope != "ops":
        raise ApiError("forbidden", "`provider` may be named by ops alone.")
    command = creation(
        context,
        wanted,
        task_id=typeid("task", context.clock(), context.random_bits()),
        project=key.project,
        idempotency=idempotency_of(request, context.keyring, key.project, wanted),
        traceparent=_traceparent(request),
    )
    answer = await context.ask(command, TaskReply)
    spec = command.spec
    if answer.replayed:
        spec = await _spec_of(context, answer.task.id)
    return _accepted(answer, spec)


async def show(request: Request) -> Response:
    """`GET /v1/tasks/{id}`."""
    context = context_of(request)
    known_only(request, (INCLUDE, TOKEN))
    found = await readable_task(request, context)
    wanted = INCLUDE.of(request)
    if not wanted:
        return reply(task_view(found.task, found.spec))
    return reply(await whole_task_view(context, found, wanted))


async def page(request: Request) -> Response:
    """`GET /v1/tasks`, newest first."""
    context = context_of(request)
    key = await authorize(request, context.keys, READ)
    wanted = task_filter(request, project_of(key))
    cursor = CURSOR.of(request)
    before = NEWEST if cursor is None else task_before(context.keyring, wanted, cursor)
    found = await context.reads.page(wanted, before=before, limit=LIMIT.of(request))
    data = tuple(task_view(task, spec) for task, spec in found.tasks)
    following = found.last and cursor_after(context.keyring, wanted, found.last)
    return reply(Page[TaskView](data=data, next_cursor=following))


async def cancel(request: Request) -> Response:
    """`POST /v1/tasks/{id}/cancel`."""
    return await _change(request, CancelTask)


async def retry(request: Request) -> Response:
    """`POST /v1/tasks/{id}/retry`."""
    return await _change(request, RetryTask)


async def release(request: Request) -> Response:
    """`POST /v1/tasks/{id}/attempts/{n}/release`."""
    context = context_of(request)
    key = await authorize(request, context.keys, OPS)
    wanted = await read_as(Release, request)
    command = ReleaseSandbox(
        task_id=request.path_params["task_id"],
        project=project_of(key),
        attempt=_attempt(request),
        reason=wanted.reason,
    )
    answer = await context.ask(command, TaskReply)
    return reply(task_view(answer.task, await _spec_of(context, answer.task.id)))


def _attempt(request: Request) -> int:
    text: str = request.path_params["attempt"]
    if not _ATTEMPT.fullmatch(text):
        raise ApiError("not_found", "There is no such attempt.")
    return int(text)


async def _change(request: Request, kind: type[CancelTask]) -> Response:
    context = context_of(request)
    key = await authorize(request, context.keys, TASKS)
    await read_nothing(request)
    command = kind(
        task_id=request.path_params["task_id"],
        project=project_of(key),
        idempotency=idempotency_of(request, context.keyring, key.project, None),
    )
    answer = await context.ask(command, TaskReply)
    return _accepted(answer, await _spec_of(context, answer.task.id))


def _traceparent(request: Request) -> str | None:
    """The caller's trace (W3C Trace Context); one of another form is none."""
    given = headers_of(request).get("traceparent")
    return given if given is not None and _TRACEPARENT.fullmatch(given) else None


async def _spec_of(context: Context, task_id: str) -> Spec:
    spec = await context.reads.spec(task_id)
    if spec is None:
        raise ApiError("not_found", "There is no such task.")
    return spec


def _accepted(answer: TaskReply, spec: Spec) -> Response:
    headers = {"Location": f"/v1/tasks/{answer.task.id}"}
    if answer.replayed:
        headers |= REPLAYED
    return reply(task_view(answer.task, spec), 202, headers)
