"""Jobs for launchers (create, inspect, destroy, sweep), held under a lease; labels of sandboxes."""

import hmac
from collections.abc import Mapping
from typing import Final, Literal

from gateway.domain.tasks.task import Frozen, TaskError

JobKind = Literal["create", "inspect", "destroy", "sweep"]


class OrphanSandbox(Frozen, frozen=True, kw_only=True):
    """A sandbox with our labels that belongs to no living attempt: a sweep has found it."""

    name: str
    id: str
    labels: dict[str, str]
    """All its labels: the launcher compares them again before the destroy."""
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
    """Number of claims: the fencing token begins with it, so that no token repeats."""
    leased_by: str | None = None
    lease_expires_at: int | None = None
    renewed: bool = False
    is_delegated: bool = False
    """True while a launcher is being started elsewhere that will claim the job by its id."""
    offers: int = 0
    """Number of unconfirmed ends, for the backoff of a destroy."""
    closed_at: int | None = None
    answered_lease: int | None = None
    """The lease whose report was accepted: the same report again gets the same answer."""
    orphan: OrphanSandbox | None = None
    """The sandbox to destroy, if it belongs to no attempt."""
    error: TaskError | None = None
    """The error that ended its last lease, if one did."""
    lease_secret: str = ""
    """128 random bits known only to the holder of the current lease; empty: there is none."""
    project: str = ""
    """Only its launchers may have the job; empty: only launchers of all projects."""

    @property
    def token(self) -> str:
        """The fencing token of the current lease."""
        return f"{self.lease}.{self.lease_secret}"

    def is_proved_by(self, token: str) -> bool:
        """True for the token of the current lease; compared in constant time."""
        is_equal = hmac.compare_digest(token.encode(), self.token.encode())
        return is_equal and bool(self.lease_secret)

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def is_free(self) -> bool:
        """True if it is open and unclaimed."""
        return self.closed_at is None and self.leased_by is None

    def is_held(self, now: int) -> bool:
        """True while a lease on it is live."""
        return self.is_open and self.lease_expires_at is not None and self.lease_expires_at > now


INSTANCE: Final = "slipgate-instance"
TASK: Final = "slipgate-task"
ATTEMPT: Final = "slipgate-attempt"
LABELS: Final = frozenset({INSTANCE, TASK, ATTEMPT})
_DIGITS: Final = 7


def labels(instance_id: str, task_id: str, attempt: int | str) -> dict[str, str]:
    """The labels of a new sandbox; they are compared before it is destroyed."""
    return {INSTANCE: instance_id, TASK: task_id, ATTEMPT: str(attempt)}


def owner(found: Mapping[str, str]) -> tuple[str, int]:
    """The task and the attempt that labels name, or ("", 0)."""
    text = found.get(ATTEMPT, "")
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return found.get(TASK, ""), int(text) if is_number else 0
