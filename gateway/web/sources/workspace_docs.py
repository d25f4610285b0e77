"""What documents the drop-in workspace API."""

from typing import Final

from gateway.web.http import access
from gateway.web.http.body import TASK_LIMIT, Nothing
from gateway.web.http.operation import Body, Operation, answer
from gateway.web.openapi.examples import TASK_ID
from gateway.web.sources.workspace import LIST_PARAMETERS
from gateway.wire.workspace import (
    ListedWorkspace,
    NewWorkspace,
    WorkspaceMade,
    Workspaces,
    WorkspaceView,
)

_TAG: Final = "Workspaces (drop-in)"
_OWN_ID: Final = "k17f2c9e0v3w8x"
_NEW: Final = NewWorkspace(
    repo_url="https://github.com/acme/widgets",
    snapshot="slipgate-agent-1",
    branch="main",
    env={
        "TASK_ID": _OWN_ID,
        "AGENT_PROMPT": "Add a /health endpoint",
        "WEBHOOK_URL": "https://app.example/api/webhook/daytona",
        "MODEL_PROVIDER": "openai",
        "MODEL": "gpt-5",
    },
)
_MADE: Final = WorkspaceMade(
    workspace_id=TASK_ID,
    id=TASK_ID,
    status="creating",
    snapshot="slipgate-agent-1",
    task_id=_OWN_ID,
)

CREATE: Final = Operation(
    id="createWorkspace",
    tag=_TAG,
    summary="Make a workspace, as today's frontend asks for one",
    description=(
        "The same `env.TASK_ID` again is the same workspace, and after a bad end its next "
        "attempt. Answered as soon as the sandbox is made, has failed for good, or takes longer "
        "than `SLIPGATE_WORKSPACE_WAIT_SECONDS`; the task goes on then."
    ),
    access=access.TASKS,
    body=Body(kind=NewWorkspace, example=_NEW, limit=TASK_LIMIT),
    answers=(answer(WorkspaceMade, _MADE, "The workspace, which is a task of that id."),),
    errors=("idempotency_mismatch", "reserved_env", "repo_not_allowed", "launch_failed"),
)
LIST: Final = Operation(
    id="listWorkspaces",
    tag=_TAG,
    summary="List the workspaces of the project, newest first",
    access=access.TASKS,
    parameters=LIST_PARAMETERS,
    answers=(
        answer(
            Workspaces,
            Workspaces(
                workspaces=(
                    ListedWorkspace(
                        workspace_id=TASK_ID,
                        id=TASK_ID,
                        status="started",
                        snapshot="slipgate-agent-1",
                        task_id=_OWN_ID,
                        created_at="2026-01-05T09:30:00.000Z",
                    ),
                ),
                next_cursor=None,
            ),
            "A page; a task that was made with `POST /v1/tasks` is a workspace too.",
        ),
    ),
    errors=("invalid_cursor", "invalid_request"),
)
SHOW: Final = Operation(
    id="showWorkspace",
    tag=_TAG,
    summary="Show how a workspace stands",
    access=access.TASKS,
    answers=(
        answer(WorkspaceView, WorkspaceView(workspace_id=TASK_ID, status="started"), "Its state."),
    ),
    errors=("not_found",),
)
DELETE: Final = Operation(
    id="deleteWorkspace",
    tag=_TAG,
    summary="Cancel what runs in a workspace and destroy it",
    description="Idempotent.",
    access=access.TASKS,
    body=Body(kind=Nothing, example=Nothing(), is_required=False),
    answers=(
        answer(
            WorkspaceView,
            WorkspaceView(workspace_id=TASK_ID, status="stopped"),
            "Its state; it is `terminated` once the sandbox is gone.",
        ),
    ),
    errors=("not_found",),
)
STOP: Final = Operation(
    id="stopWorkspace",
    tag=_TAG,
    summary="Stop a workspace: cancel its task and destroy its sandbox",
    description="Idempotent.",
    access=access.TASKS,
    body=Body(kind=Nothing, example=Nothing(), is_required=False),
    answers=(
        answer(
            WorkspaceView,
            WorkspaceView(workspace_id=TASK_ID, status="stopped"),
            "Its state; it is `terminated` once the sandbox is gone.",
        ),
    ),
    errors=("not_found",),
)
