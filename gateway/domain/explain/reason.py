"""An explanation: how a task stands, what happens next, and how we know."""

from gateway.domain.tasks.task import Frozen, Status


class Step(Frozen, frozen=True, kw_only=True):
    """Something that happens by itself unless something else comes first; `at` in milliseconds."""

    at: int
    what: str


class Reason(Frozen, frozen=True, kw_only=True):
    """The clauses of a sentence, and what the task waits for; None: nothing is left to wait for."""

    clauses: tuple[str, ...]
    waiting_for: str | None = None


class Explanation(Frozen, frozen=True, kw_only=True):
    """What `GET …/explain` answers."""

    status: Status
    summary: str
    waiting_for: str | None
    next: tuple[Step, ...]
    evidence: tuple[str, ...]
