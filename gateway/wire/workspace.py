"""The drop-in workspace API: the requests of today's frontend, and the flat webhooks it knows.

The frontend sends fields that we do not use, and empty strings for absent values.
"""

from typing import Annotated, Final, Literal

import msgspec

from gateway.wire.message import Reply, WithoutNul
from gateway.wire.tasks import Url, VariableName
from gateway.wire.times import Moment

ENV_CHARACTERS: Final = 100_000
"""One string of an environment has at most 128 KiB in Linux."""

EnvValue = Annotated[WithoutNul, msgspec.Meta(max_length=ENV_CHARACTERS)]
MaybeEmpty = Annotated[str, msgspec.Meta(max_length=244)]
"""An empty string means absent; other values are checked as those of a task."""
WorkspaceStatus = Literal["creating", "started", "stopped", "terminated"]


class NewWorkspace(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`POST /workspace`."""

    repo_url: Url
    snapshot: MaybeEmpty | None = None
    branch: MaybeEmpty | None = None
    env: Annotated[dict[VariableName, EnvValue], msgspec.Meta(max_length=200)] = msgspec.field(
        default_factory=dict
    )


class WorkspaceMade(Reply, frozen=True, kw_only=True):
    """`workspaceId` and `id` are the task's permanent id; `taskId` is the frontend's own."""

    workspace_id: str
    id: str
    status: Literal["creating"]
    snapshot: str
    task_id: str


class WorkspaceView(Reply, frozen=True, kw_only=True):
    """The state of a workspace."""

    workspace_id: str
    status: WorkspaceStatus


class ListedWorkspace(Reply, frozen=True, kw_only=True):
    """A workspace in a list."""

    workspace_id: str
    id: str
    status: WorkspaceStatus
    snapshot: str
    task_id: str
    created_at: Moment


class Workspaces(Reply, frozen=True, kw_only=True):
    """A page of the list, and the cursor of the next one; None: there is none."""

    workspaces: tuple[ListedWorkspace, ...]
    next_cursor: str | None


class FlatEvent(Reply, frozen=True, kw_only=True):
    """The payload of today's receivers; an empty string means absent."""

    type: str
    task_id: str
    workspace_id: str
    status: str = ""
    branch_name: str = ""
    pr_url: str = ""
    error: str = ""
    message: str = ""
