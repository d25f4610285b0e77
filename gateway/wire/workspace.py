"""The drop-in workspace API: what today's frontend sends, and the flat webhooks it knows.

It sends more than we use, and empty strings for what it does not have: unknown fields are ignored.
"""

from typing import Annotated, Literal

import msgspec

from gateway.wire.message import Reply
from gateway.wire.tasks import BranchName, Name, Url, VariableName

ENV_CHARACTERS = 100_000
"""One string of an environment has at most 128 KiB in Linux."""

EnvValue = Annotated[str, msgspec.Meta(max_length=ENV_CHARACTERS, pattern=r"^[^\u0000]*$")]
WorkspaceStatus = Literal["creating", "started", "stopped", "terminated"]


class NewWorkspace(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`POST /workspace`."""

    repo_url: Url
    snapshot: Name | None = None
    branch: BranchName | None = None
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
