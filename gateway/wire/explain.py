"""`GET /v1/tasks/{id}/explain`: a sentence, what happens next, and how we know."""

from gateway.wire.message import Reply
from gateway.wire.times import Moment


class StepView(Reply, frozen=True, kw_only=True):
    """What happens by itself at a moment, unless something else comes first."""

    at: Moment
    what: str


class ExplanationView(Reply, frozen=True, kw_only=True):
    """Why a task stands where it stands; the texts are for people and may change."""

    status: str
    summary: str
    waiting_for: str | None
    next: tuple[StepView, ...]
    evidence: tuple[str, ...]
