"""A job for a launcher: create, inspect, destroy or sweep, held under a lease."""

import hmac
from collections.abc import Mapping
from typing import Final, Literal

from gateway.domain.tasks.task import Frozen, TaskError

JobKind = Literal["create", "inspect", "destroy", "sweep"]


class OrphanSandbox(Frozen, frozen=True, kw_only=True):
    """A sandbox with our labels that no living attempt wants: a sweep has found it."""

    name: str
    id: str
    labels: dict[str, str]
    """All it carries: whoever destroys it compares them once more."""
    spool_offset: int = 0


class Job(Frozen, frozen=True, kw_only=True):
    """Work offered to launchers of one realm; times in milliseconds."""

    id: str
    kind: JobKind
    task_id: str | None = None
    attempt: int | None = None
    provider: str | None = None
    realm: str | None = None
    not_before: int = 0
    lease: int = 0
    """Counts the claims: the fencing token begins with it, so that none comes twice."""
    leased_by: str | None = None
    lease_expires_at: int | None = None
    renewed: bool = False
    is_delegated: bool = False
    """Waits for a launcher that was asked to start elsewhere and will claim it by its id."""
    offers: int = 0
    """How often it ended without its purpose reached, for the backoff of a destroy."""
    closed_at: int | None = None
    answered_lease: int | None = None
    """The lease under which it was closed: the same token again gets the same answer."""
    stray: OrphanSandbox | None = None
    """What it destroys, if that belongs to no attempt."""
    error: TaskError | None = None
    """Why it could not be done, if that is how its last lease ended."""
    lease_secret: str = ""
    """128 random bits that only the holder of the current lease was told; empty: there is none."""
    project: str = ""
    """Only launchers that serve it may have the job; empty: only launchers that serve all."""

    @property
    def token(self) -> str:
        """The fencing token of the current lease."""
        return f"{self.lease}.{self.lease_secret}"

    def is_proved_by(self, token: str) -> bool:
        """Whether this is the token of the current lease; compared in constant time."""
        is_equal = hmac.compare_digest(token.encode(), self.token.encode())
        return is_equal and bool(self.lease_secret)

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to do it."""
        return self.closed_at is None

    @property
    def is_free(self) -> bool:
        """Whether it waits for somebody to claim it."""
        return self.closed_at is None and self.leased_by is None

    def is_held(self, now: int) -> bool:
        """Whether a launcher holds a live lease on it."""
        return self.is_open and self.lease_expires_at is not None and self.lease_expires_at > now


INSTANCE: Final = "slipgate-instance"
TASK: Final = "slipgate-task"
ATTEMPT: Final = "slipgate-attempt"
LABELS: Final = frozenset({INSTANCE, TASK, ATTEMPT})
_DIGITS: Final = 7


def labels(instance_id: str, task_id: str, attempt: int | str) -> dict[str, str]:
    """What a sandbox is made with, and what is compared before it is destroyed."""
    return {INSTANCE: instance_id, TASK: task_id, ATTEMPT: str(attempt)}


def owner(found: Mapping[str, str]) -> tuple[str, int]:
    """The task and the attempt that labels name; those of nobody are ("", 0)."""
    text = found.get(ATTEMPT, "")
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return found.get(TASK, ""), int(text) if is_number else 0
