"""The drop-in workspace API: today's frontend works once it changes two variables."""

import time
from functools import partial
from typing import Final

from starlette.responses import Response

from gateway.domain.kernel.answers import Accepted, TaskReply
from gateway.domain.kernel.commands import AnswerWorkspace, CancelTask
from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Status, Task
from gateway.store.records import TaskFilter
from gateway.web.context import Context
from gateway.web.http.access import TASKS
from gateway.web.http.body import TASK_LIMIT, Nothing
from gateway.web.http.call import Call
from gateway.web.http.cursors import CURSOR, LIMIT
from gateway.web.http.operation import NOTHING, Body, Operation, answer
from gateway.web.http.replies import reply
from gateway.web.sources.workspace_request import opening
from gateway.web.tasks.lists import tasks_page
from gateway.web.tasks.task_access import task_of
from gateway.wire.times import rfc3339
from gateway.wire.workspace import (
    ListedWorkspace,
    NewWorkspace,
    WorkspaceMade,
    Workspaces,
    WorkspaceStatus,
    WorkspaceView,
)

_STOPPED: Final = (
    answer(
        WorkspaceView,
        "Its state; it is `terminated` once the sandbox is gone.",
        example="WorkspaceView:stopped",
    ),
)
_NEVER_LAUNCHED: Final = frozenset({Status.FAILED, Status.EXPIRED})
operation: Final = partial(Operation, tag="Workspaces (drop-in)", access=TASKS)


@operation(
    id="createWorkspace",
    summary="Make a workspace, as today's frontend asks for one",
    description=(
        "The same `env.TASK_ID` again is the same workspace, and after a bad end its next "
        "attempt. Answered as soon as the sandbox is made, has failed for good, or takes longer "
        "than `SLIPGATE_WORKSPACE_WAIT_SECONDS`; the task goes on then."
    ),
    body=Body(kind=NewWorkspace, limit=TASK_LIMIT),
    answers=(answer(WorkspaceMade, "The workspace, which is a task of that id."),),
    errors=(
        *("idempotency_mismatch", "reserved_env", "repo_not_allowed", "launch_failed"),
        "intake_paused",
    ),
)
async def create(call: Call[NewWorkspace]) -> Response:
    context, wanted = call.context, call.body
    answer = await call.ask(await opening(context, wanted, call.key.project), TaskReply)
    task = await _launched(context, answer.task)
    await call.ask(AnswerWorkspace(task_id=task.id), Accepted)
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


@operation(
    id="listWorkspaces",
    summary="List the workspaces of the project, newest first",
    description="With the ids of their tasks, as programs that clean up need them.",
    query=(LIMIT, CURSOR),
    answers=(
        answer(
            Workspaces, "A page; a task that was made with `POST /v1/tasks` is a workspace too."
        ),
    ),
    errors=("invalid_cursor", "invalid_request"),
)
async def page(call: Call[None]) -> Response:
    tasks, following = await tasks_page(call, TaskFilter(project=call.project))
    listed = tuple(_listed(task, spec) for task, spec in tasks)
    return reply(Workspaces(workspaces=listed, next_cursor=following))


@operation(
    id="showWorkspace",
    summary="Show how a workspace stands",
    description=(
        "`started` while its task runs, then `stopped` while its sandbox is there, `terminated`."
    ),
    answers=(answer(WorkspaceView, "Its state."),),
    errors=("not_found",),
)
async def show(call: Call[None]) -> Response:
    task, _ = await task_of(call, "workspace")
    return reply(WorkspaceView(workspace_id=task.id, status=_status(task)))


@operation(
    id="deleteWorkspace",
    summary="Cancel what runs in a workspace and destroy it",
    description="Idempotent.",
    body=NOTHING,
    answers=_STOPPED,
    errors=("not_found",),
)
async def delete(call: Call[Nothing]) -> Response:
    return await _cancel(call)


@operation(
    id="stopWorkspace",
    summary="Stop a workspace: cancel its task and destroy its sandbox",
    description="Idempotent.",
    body=NOTHING,
    answers=_STOPPED,
    errors=("not_found",),
)
async def stop(call: Call[Nothing]) -> Response:
    return await _cancel(call)


async def _cancel(call: Call[Nothing]) -> Response:
    """Cancels the task; the sandbox of one that has ended is being destroyed anyway."""
    task, _ = await task_of(call, "workspace")
    if not task.status.is_terminal:
        command = CancelTask(task_id=task.id, project=call.project)
        try:
            task = (await call.ask(command, TaskReply)).task
        except ApiError as exc:
            if exc.code != "already_finished":
                raise
    return reply(WorkspaceView(workspace_id=task.id, status=_status(task)))


async def _launched(context: Context, task: Task) -> Task:
    """The task once its sandbox is made or cannot be, or when the time is over."""
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
    """False for a sandbox of another snapshot, which is going: the next provider is tried."""
    sandbox = task.sandbox
    is_ours = sandbox is not None and sandbox.snapshot in (None, task.snapshot)
    is_made = is_ours and sandbox is not None and sandbox.id is not None
    return is_made or task.status is Status.RUNNING or task.status.is_terminal


def _failed(task: Task) -> ApiError:
    error = task.error
    why = f"{error.code}: {error.message}" if error else str(task.status)
    return ApiError("launch_failed", f"The sandbox could not be made: {why}")


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
