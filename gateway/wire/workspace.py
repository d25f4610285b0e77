"""The drop-in workspace API: what today's frontend sends, and the flat webhooks it knows.

It sends more than we use, and empty strings for what it does not have: unknown fields are ignored.
"""

from typing import Annotated, Literal

import msgspec

from gateway.wire.message import Reply, WithoutNul
from gateway.wire.tasks import Url, VariableName
from gateway.wire.times import Moment

ENV_CHARACTERS = 100_000
"""One string of an environment has at most 128 KiB in Linux."""

EnvValue = Annotated[WithoutNul, msgspec.Meta(max_length=ENV_CHARACTERS)]
MaybeEmpty = Annotated[str, msgspec.Meta(max_length=244)]
"""An empty string means absent; what else it may be is judged as a task's."""
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
    """`workspaceId` and `id` are the task's id, for life; `taskId` is the frontend's own."""

    workspace_id: str
    id: str
    status: Literal["creating"]
    snapshot: str
    task_id: str


class WorkspaceView(Reply, frozen=True, kw_only=True):
    """How a workspace stands."""

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
    """A piece of the list, and where the next one begins; None: there is no more."""

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
