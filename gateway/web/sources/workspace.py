"""The drop-in workspace API: today's frontend changes two variables and works."""

import time
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.kernel.answers import Accepted, TaskReply
from gateway.domain.kernel.commands import AnswerWorkspace, CancelTask
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import is_task_id
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Status, Task
from gateway.store.records import NEWEST, TaskFilter
from gateway.web.context import Context, context_of
from gateway.web.http.auth import TASKS, authorize, project_of
from gateway.web.http.body import TASK_LIMIT, read_as, read_nothing
from gateway.web.http.cursors import cursor_after, task_before
from gateway.web.http.query import known_only
from gateway.web.http.replies import reply
from gateway.web.sources.workspace_request import opening
from gateway.web.tasks.filters import CURSOR, LIMIT
from gateway.wire.times import rfc3339
from gateway.wire.workspace import (
    ListedWorkspace,
    NewWorkspace,
    WorkspaceMade,
    Workspaces,
    WorkspaceStatus,
    WorkspaceView,
)

LIST_PARAMETERS: Final = (LIMIT, CURSOR)
_NEVER_LAUNCHED: Final = frozenset({Status.FAILED, Status.EXPIRED})


async def create(request: Request) -> Response:
    """`POST /workspace`: answered when the sandbox is made, has failed for good, or takes long."""
    context = context_of(request)
    key = await authorize(request, context.keys, TASKS)
    wanted = await read_as(NewWorkspace, request, limit=TASK_LIMIT)
    answer = await context.ask(await opening(context, wanted, key.project), TaskReply)
    task = await _launched(context, answer.task)
    await context.ask(AnswerWorkspace(task_id=task.id), Accepted)
    if task.status in _NEVER_LAUNCHED and task.started_at is None:
        raise _failed(task)
    return reply(
        WorkspaceMade(
            workspace_id=task.id,
            id=task.id,
            status="creating",
            snapshot=_snapshot(task),
            task_id=wanted.env.get("TASK_ID") or task.id,
        )
    )


async def page(request: Request) -> Response:
    """`GET /workspace`: the tasks of the project, newest first, whichever way they were made."""
    context = context_of(request)
    key = await authorize(request, context.keys, TASKS)
    known_only(request, LIST_PARAMETERS)
    wanted = TaskFilter(project=project_of(key))
    cursor = CURSOR.of(request)
    before = NEWEST if cursor is None else task_before(context.keyring, wanted, cursor)
    found = await context.reads.page(wanted, before=before, limit=LIMIT.of(request))
    following = found.last and cursor_after(context.keyring, wanted, found.last)
    listed = tuple(_listed(task, spec) for task, spec in found.tasks)
    return reply(Workspaces(workspaces=listed, next_cursor=following))


async def show(request: Request) -> Response:
    """`GET /workspace/{workspaceId}`."""
    context = context_of(request)
    task = await _task(request, context)
    return reply(WorkspaceView(workspace_id=task.id, status=_status(task)))


async def stop(request: Request) -> Response:
    """`POST /workspace/{workspaceId}/stop`, and `DELETE /workspace/{workspaceId}`: cancels; what
    has ended is being destroyed anyway."""
    context = context_of(request)
    await read_nothing(request)
    task = await _task(request, context)
    if not task.status.is_terminal:
        key = await authorize(request, context.keys, TASKS)
        command = CancelTask(task_id=task.id, project=project_of(key))
        try:
            task = (await context.ask(command, TaskReply)).task
        except ApiError as refused:
            if refused.code != "already_finished":
                raise
    return reply(WorkspaceView(workspace_id=task.id, status=_status(task)))


async def _launched(context: Context, task: Task) -> Task:
    """The task once its sandbox is made or cannot be, or as it stands when the time is over."""
    end = time.monotonic() + context.workspace_wait_seconds
    with context.notifier.listen(task.id) as listener:
        while True:
            found = await context.reads.task(task.id)
            task = found[0] if found else task
            left = end - time.monotonic()
            if _is_decided(task) or left <= 0 or context.is_draining():
                return task
            await listener.wait(left)


def _is_decided(task: Task) -> bool:
    """A sandbox of another snapshot is on its way out: the next provider is tried."""
    sandbox = task.sandbox
    is_ours = sandbox is not None and sandbox.snapshot in (None, task.snapshot)
    is_made = is_ours and sandbox is not None and sandbox.id is not None
    return is_made or task.status is Status.RUNNING or task.status.is_terminal


def _failed(task: Task) -> ApiError:
    error = task.error
    why = f"{error.code}: {error.message}" if error else str(task.status)
    return ApiError("launch_failed", f"The sandbox could not be made: {why}")


async def _task(request: Request, context: Context) -> Task:
    key = await authorize(request, context.keys, TASKS)
    task_id = request.path_params["workspace_id"]
    found = await context.reads.task(task_id) if is_task_id(task_id) else None
    if found is None or project_of(key) not in {None, found[0].project}:
        raise ApiError("not_found", "There is no such workspace.")
    return found[0]


def _listed(task: Task, spec: Spec) -> ListedWorkspace:
    return ListedWorkspace(
        workspace_id=task.id,
        id=task.id,
        status=_status(task),
        snapshot=_snapshot(task),
        task_id=spec.flat or task.id,
        created_at=rfc3339(task.created_at),
    )


def _snapshot(task: Task) -> str:
    return (task.sandbox and task.sandbox.snapshot) or task.snapshot


def _status(task: Task) -> WorkspaceStatus:
    sandbox = task.sandbox
    if task.status.is_terminal:
        is_there = sandbox is not None and sandbox.state not in {"destroyed", "gone"}
        return "stopped" if is_there else "terminated"
    if task.status is Status.RUNNING:
        return "stopped" if sandbox is not None and sandbox.state == "stopped" else "started"
    return "creating"
