"""What the commands read of the gateway's answers; fields they do not know are ignored."""

from datetime import datetime
from typing import Final

import msgspec

ENDS: Final = frozenset(
    {"completed", "needs_review", "failed", "timed_out", "cancelled", "expired"}
)
GOOD_ENDS: Final = frozenset({"completed", "needs_review"})


class Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of a JSON answer."""


class ErrorView(Answer, frozen=True, kw_only=True):
    """Why a task ended badly."""

    code: str = ""
    message: str = ""


class FlagView(Answer, frozen=True, kw_only=True):
    """What is wrong while the state stands."""

    code: str


class SandboxView(Answer, frozen=True, kw_only=True):
    """Where an attempt runs."""

    name: str
    provider: str
    state: str


class UsageView(Answer, frozen=True, kw_only=True):
    """What the attempt has cost so far."""

    turns: int = 0
    cost_usd: float = 0.0


class TaskView(Answer, frozen=True, kw_only=True):
    """A task."""

    id: str
    status: str
    title: str = ""
    repo_url: str = ""
    branch_name: str = ""
    attempt: int = 1
    max_attempts: int = 1
    task_seq: int = 0
    stage: str | None = None
    message: str | None = None
    pr_url: str | None = None
    flag: FlagView | None = None
    error: ErrorView | None = None
    sandbox: SandboxView | None = None
    usage: UsageView = UsageView()
    warnings: tuple[str, ...] = ()
    created_at: str = ""
    started_at: str | None = None
    finished_at: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status in ENDS


class AttemptView(Answer, frozen=True, kw_only=True):
    """One try of a task."""

    number: int
    status: str
    opened_at: str
    provider: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    launches: int = 0
    usage: UsageView = UsageView()
    error: ErrorView | None = None


class DeliveryAttemptView(Answer, frozen=True, kw_only=True):
    """One request to an endpoint."""

    at: str = ""
    trigger: str = ""
    duration_ms: int = 0
    status: int | None = None
    reason: str | None = None


class DeliveryView(Answer, frozen=True, kw_only=True):
    """An event owed to an endpoint."""

    id: str
    event_id: str = ""
    type: str
    status: str
    reason: str | None = None
    next_attempt_at: str | None = None
    attempts: tuple[DeliveryAttemptView, ...] = ()


class WholeTaskView(TaskView, frozen=True, kw_only=True):
    """A task with what was included; None: it was not asked for."""

    attempts: tuple[AttemptView, ...] | None = None
    deliveries: tuple[DeliveryView, ...] | None = None


class TaskPage(Answer, frozen=True, kw_only=True):
    """A page of a list."""

    data: tuple[TaskView, ...]
    next_cursor: str | None = None


class StepView(Answer, frozen=True, kw_only=True):
    """What happens by itself at a moment."""

    at: datetime
    what: str


class ExplanationView(Answer, frozen=True, kw_only=True):
    """Why a task stands where it stands."""

    summary: str
    waiting_for: str | None
    next: tuple[StepView, ...]
    evidence: tuple[str, ...]


class WordView(Answer, frozen=True, kw_only=True):
    """What the timeline shows of an event's data."""

    stage: str | None = None
    message: str | None = None
    summary: str | None = None
    code: str | None = None
    pr_url: str | None = None
    error: ErrorView | None = None


class EndpointWord(Answer, frozen=True, kw_only=True):
    """The endpoint that an event is about."""

    id: str = ""
    origin: str = ""
    reason: str | None = None
    http_status: int | None = None


class _AboutEndpoint(Answer, frozen=True, kw_only=True):
    endpoint: EndpointWord | None = None


class EventView(Answer, frozen=True, kw_only=True):
    """An event."""

    id: str = ""
    seq: int
    type: str
    at: str
    task_id: str | None = None
    attempt: int | None = None
    applied: bool = True
    reason: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")

    @property
    def word(self) -> WordView:
        """Its data, as far as the timeline shows them; an agent may send any shape."""
        try:
            return msgspec.json.decode(self.data, type=WordView)
        except msgspec.ValidationError:
            return WordView()

    @property
    def endpoint(self) -> EndpointWord | None:
        """What it is about, if that is no task."""
        if self.task_id is not None:
            return None
        return msgspec.json.decode(self.data, type=_AboutEndpoint).endpoint


class FeedPage(Answer, frozen=True, kw_only=True):
    """A page of a feed, its events as they came."""

    data: tuple[msgspec.Raw, ...]
    next_cursor: str

    @property
    def events(self) -> tuple[EventView, ...]:
        """Its events as values."""
        return tuple(msgspec.json.decode(event, type=EventView) for event in self.data)


class LogView(Answer, frozen=True, kw_only=True):
    """A piece of an agent's log."""

    chunk: str
    missing: int = 0
    """Bytes right before it that have not come."""


class LogPage(Answer, frozen=True, kw_only=True):
    """A page of it."""

    data: tuple[LogView, ...]
    next_cursor: str


class ProblemView(Answer, frozen=True, kw_only=True):
    """An error reply."""

    code: str
    status: int
    detail: str
    hint: str | None = None
    request_id: str | None = None
    errors: tuple["FieldProblem", ...] | None = None


class FieldProblem(Answer, frozen=True, kw_only=True):
    """One thing wrong in a request."""

    path: str
    message: str
