"""The drop-in workspace API: today's frontend changes two variables and works."""

import time
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.answers import TaskReply
from gateway.domain.commands import CancelTask, OpenWorkspace
from gateway.domain.errors import Refused
from gateway.domain.ids import is_task_id, typeid
from gateway.domain.reserved import COMPUTED, check_env
from gateway.domain.sealing import Sealed, env_context
from gateway.domain.task import Status, Task
from gateway.domain.workspace import Workspace
from gateway.web.auth import TASKS, authorize, project_of
from gateway.web.body import TASK_LIMIT, read_json, read_nothing
from gateway.web.context import Context, context_of
from gateway.web.new_task import creation
from gateway.web.replies import reply
from gateway.wire.decode import decode, wrong_shape
from gateway.wire.tasks import AgentSpec, NewTask
from gateway.wire.workspace import NewWorkspace, WorkspaceMade, WorkspaceStatus, WorkspaceView

PROMPT_BYTES: Final = 96 * 1024
"""Scripts that cannot sign cannot fetch a longer one: it has to fit a variable."""
_NEVER_LAUNCHED: Final = frozenset({Status.FAILED, Status.EXPIRED})


async def create(request: Request) -> Response:
    """`POST /workspace`: answered when the sandbox is made, has failed for good, or takes long."""
    context = context_of(request)
    key = await authorize(request, context.keys, TASKS)
    wanted = decode(NewWorkspace, await read_json(request, limit=TASK_LIMIT))
    command = await _opening(context, wanted, key.project)
    answer = await context.ask(command, TaskReply)
    task = await _launched(context, answer.task)
    if task.status in _NEVER_LAUNCHED and task.started_at is None:
        raise _failed(task)
    return reply(
        WorkspaceMade(
            workspace_id=task.id,
            id=task.id,
            status="creating",
            snapshot=(task.sandbox and task.sandbox.snapshot) or task.snapshot,
            task_id=wanted.env.get("TASK_ID") or task.id,
        )
    )


async def show(request: Request) -> Response:
    """`GET /workspace/{workspaceId}`."""
    context = context_of(request)
    task = await _task(request, context)
    return reply(WorkspaceView(workspace_id=task.id, status=_status(task)))


async def delete(request: Request) -> Response:
    """`DELETE /workspace/{workspaceId}`: cancels; what has ended is being destroyed anyway."""
    context = context_of(request)
    await read_nothing(request)
    task = await _task(request, context)
    if not task.status.is_terminal:
        key = await authorize(request, context.keys, TASKS)
        command = CancelTask(task_id=task.id, project=project_of(key))
        try:
            task = (await context.ask(command, TaskReply)).task
        except Refused as refused:
            if refused.code != "already_finished":
                raise
    return reply(WorkspaceView(workspace_id=task.id, status=_status(task)))


async def _opening(context: Context, wanted: NewWorkspace, project: str) -> OpenWorkspace:
    env = wanted.env
    task_id = typeid("task", context.clock(), context.random_bits())
    made = creation(
        context,
        _as_task(wanted),
        task_id=task_id,
        project=project,
        idempotency=None,
        traceparent=None,
    )
    external = env.get("TASK_ID", "")
    made = msgspec.structs.replace(
        made,
        spec=msgspec.structs.replace(made.spec, flat=external),
        env=_sealed(context, env, task_id),
    )
    if not external:
        return OpenWorkspace(creation=made)
    workspace = Workspace(
        project=project,
        external_id=external,
        task_id=task_id,
        repo_url=wanted.repo_url,
        branch=wanted.branch or "",
    )
    standing = await context.reads.workspace(workspace.key)
    renewal = _sealed(context, env, standing) if standing else None
    return OpenWorkspace(creation=made, workspace=workspace, renewal=renewal)


def _as_task(wanted: NewWorkspace) -> NewTask:
    """The request in our own words.

    Raises:
        Refused: `reserved_env`.
        WrongShape: a variable that we read has no sense.
    """
    env = wanted.env
    prompt = env.get("AGENT_PROMPT", "")
    if not prompt or len(prompt.encode()) > PROMPT_BYTES:
        message = f"Expected the prompt, 1 to {PROMPT_BYTES} bytes"
        raise wrong_shape([(("env", "AGENT_PROMPT"), message)])
    check_env({name: value for name, value in env.items() if name not in COMPUTED})
    fields = {
        "repoUrl": wanted.repo_url,
        "prompt": prompt,
        "snapshot": wanted.snapshot,
        "baseBranch": env.get("BASE_BRANCH") or wanted.branch,
        "branchName": env.get("BRANCH_NAME") or None,
        "callbackUrl": env.get("WEBHOOK_URL") or None,
    }
    agent = {"modelProvider": env.get("MODEL_PROVIDER"), "model": env.get("MODEL")}
    try:
        return msgspec.structs.replace(
            msgspec.convert(fields, NewTask),
            agent=msgspec.convert({k: v for k, v in agent.items() if v}, AgentSpec),
        )
    except msgspec.ValidationError as exc:
        raise wrong_shape([(("env",), str(exc))]) from exc


def _sealed(context: Context, env: dict[str, str], task_id: str) -> Sealed:
    """Everything as given but the webhook's address: the sandbox gets the capability URL."""
    kept = {name: value for name, value in env.items() if name != "WEBHOOK_URL"}
    return context.keyring.seal(
        msgspec.json.encode(kept), context=env_context(task_id), nonce=context.nonce()
    )


async def _launched(context: Context, task: Task) -> Task:
    """The task once its sandbox is made or cannot be, or as it stands when the time is over."""
    end = time.monotonic() + context.workspace_wait_seconds
    with context.hints.listen(task.id) as listener:
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


def _failed(task: Task) -> Refused:
    error = task.error
    why = f"{error.code}: {error.message}" if error else str(task.status)
    return Refused("launch_failed", f"The sandbox could not be made: {why}")


async def _task(request: Request, context: Context) -> Task:
    key = await authorize(request, context.keys, TASKS)
    task_id = request.path_params["workspace_id"]
    found = await context.reads.task(task_id) if is_task_id(task_id) else None
    if found is None or project_of(key) not in {None, found[0].project}:
        raise Refused("not_found", "There is no such workspace.")
    return found[0]


def _status(task: Task) -> WorkspaceStatus:
    sandbox = task.sandbox
    if task.status.is_terminal:
        is_there = sandbox is not None and sandbox.state not in {"destroyed", "gone"}
        return "stopped" if is_there else "terminated"
    if task.status is Status.RUNNING:
        return "stopped" if sandbox is not None and sandbox.state == "stopped" else "started"
    return "creating"
