"""A workspace: what today's frontend calls a task, under an id of its own."""

from gateway.domain.repositories.address import is_same_repository
from gateway.domain.tasks.task import Frozen

WorkspaceKey = tuple[str, str]
"""(project, the frontend's TASK_ID)."""


class Workspace(Frozen, frozen=True, kw_only=True):
    """Which task stands for a frontend's TASK_ID, and what it was first asked with."""

    project: str
    external_id: str
    task_id: str
    repo_url: str
    branch: str

    @property
    def key(self) -> WorkspaceKey:
        """By which it is found."""
        return (self.project, self.external_id)

    def is_same_request(self, other: "Workspace") -> bool:
        """Whether it is the same request: everything but these may differ from try to try."""
        is_same = is_same_repository(self.repo_url, other.repo_url)
        return is_same and self.branch == other.branch
