"""The drop-in workspace API of today's frontend."""

from collections.abc import Mapping
from typing import Final

from slipgate.declaration import operation
from slipgate.types import NewWorkspace, Workspace, Workspaces

_WORKSPACE: Final = "/workspace/{workspace_id}"


class WorkspaceCalls:
    """Calls of the drop-in API; new programs create tasks instead."""

    @operation("POST", "/workspace")
    def create_workspace(
        self,
        *,
        repo_url: str,
        snapshot: str | None = None,
        branch: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> NewWorkspace:
        """A workspace; its id is that of a task."""

    @operation("GET", "/workspace")
    def workspaces(self, *, limit: int | None = None, cursor: str | None = None) -> Workspaces:
        """A page of workspaces, newest first."""

    @operation("GET", _WORKSPACE)
    def get_workspace(self, workspace_id: str) -> Workspace:
        """A workspace as it stands."""

    @operation("DELETE", _WORKSPACE)
    def delete_workspace(self, workspace_id: str) -> Workspace:
        """Cancels the task and destroys its sandbox."""

    @operation("POST", f"{_WORKSPACE}/stop")
    def stop_workspace(self, workspace_id: str) -> Workspace:
        """Cancels the task."""
