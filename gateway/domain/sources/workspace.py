"""Workspaces: the tasks of the drop-in API, by the frontend's own id."""

from gateway.domain.repositories.address import is_same_repository
from gateway.domain.tasks.task import Frozen

WorkspaceKey = tuple[str, str]
"""(project, the frontend's TASK_ID)."""


class Workspace(Frozen, frozen=True, kw_only=True):
    """The task of a frontend's TASK_ID, with the fields of its first request."""

    project: str
    external_id: str
    task_id: str
    repo_url: str
    branch: str

    @property
    def key(self) -> WorkspaceKey:
        return (self.project, self.external_id)

    def is_same_request(self, other: "Workspace") -> bool:
        """True if repository and branch are equal; other fields may differ between tries."""
        is_same = is_same_repository(self.repo_url, other.repo_url)
        return is_same and self.branch == other.branch
