"""Records: the answers of the store, without a dialect."""

from typing import Final, Literal

from gateway.domain.deliveries.delivery import NO_REPEAT
from gateway.domain.deliveries.endpoint import Format
from gateway.domain.kernel.ids import first_task_id
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Frozen, Status, Task

TaskWithSpec = tuple[Task, Spec]
"""A task and what was asked for."""
Lane = tuple[str, str]
"""(endpoint, task): the deliveries of a lane are sent one after the other (SQS FIFO calls it a
message group). The head of a lane is the one that may be sent now."""
SecretOwner = tuple[str, str | None]
"""A project, and one of its endpoints; None: its callbacks."""

SandboxPosition = tuple[str, str, str, int]
"""(provider, realm, task, attempt): the order of living sandboxes."""

NO_NUMBER: Final = 2**62
"""Behind the number of every event."""
NEWEST: Final = "task_~"
"""Sorts behind every task id: the beginning of a list."""
ANY_FLAG: Final = "any"
_ID_BEFORE_TASK: Final = 60_000
"""Milliseconds that an id may be older than its task: it is made before the commit."""
_TASK_BEFORE_ID: Final = 1_000
"""Milliseconds that a task may be older than its id: a wall clock can be set back."""


class StoredSecrets(Frozen, frozen=True, kw_only=True):
    """The encrypted parts of a task."""

    env: Sealed | None
    callback_url: Sealed | None
    env_erased_at: int | None


class TaskFilter(Frozen, frozen=True, kw_only=True):
    """Conditions of a list of tasks; None asks for nothing. Moments in milliseconds."""

    project: str | None = None
    statuses: tuple[Status, ...] = tuple(Status)
    flag: str | None = None
    """A flag's code, or `ANY_FLAG`."""
    error_code: str | None = None
    provider: str | None = None
    """The one that its sandbox is at, or that it names."""
    snapshot: str | None = None
    launcher_id: str | None = None
    """The launcher that took its current attempt last."""
    repo_url: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    created_after: int | None = None
    created_before: int | None = None

    @property
    def since(self) -> str:
        """No older id belongs to a task that matches."""
        if self.created_after is None:
            return ""
        return first_task_id(self.created_after - _ID_BEFORE_TASK)

    @property
    def until(self) -> str:
        """Every task that matches has an older id."""
        if self.created_before is None:
            return NEWEST
        return first_task_id(self.created_before + _TASK_BEFORE_ID)


class TaskPage(Frozen, frozen=True, kw_only=True):
    """A page of tasks, newest first."""

    tasks: tuple[TaskWithSpec, ...]
    last: str | None
    """The id behind which the list goes on; None: nowhere."""


class FeedEvent(Event, frozen=True, kw_only=True):
    """An event of the feed of a project."""

    customer: str | None = None
    """Of an own event, like the id that follows."""
    event_id: str | None = None


class FeedPage(Frozen, frozen=True, kw_only=True):
    """A page of a feed of events, oldest first."""

    events: tuple[Event, ...]
    cursor: int
    """Everything up to this number has been looked at: the next `after`."""
    is_end: bool
    """True if there was nothing behind it."""


class DeliveryFilter(Frozen, frozen=True, kw_only=True):
    """Conditions of a list of deliveries; None: any."""

    endpoint_id: str | None = None
    task_id: str | None = None
    status: str | None = None
    customer: str | None = None
    """Only to endpoints of this customer."""
    project: str | None = None
    """With a customer: only to endpoints of this project."""


class DeliveryAttempt(Frozen, frozen=True, kw_only=True):
    """One request and its result; moments and durations in milliseconds."""

    at: int
    trigger: str
    status: int | None
    """HTTP; None if there was no answer."""
    reason: str | None
    duration_ms: int
    key_id: str | None
    response_body: str | None


class Delivery(Frozen, frozen=True, kw_only=True):
    """An event for an endpoint, with every attempt to send it."""

    endpoint_id: str
    seq: int
    task_id: str
    event_at: int
    type: str
    status: str
    next_attempt_at: int | None
    reason: str | None = None
    """Why it ended without an attempt."""
    attempts: tuple[DeliveryAttempt, ...] = ()


class Head(Frozen, frozen=True, kw_only=True):
    """The head of a lane."""

    endpoint_id: str
    project: str
    seq: int
    """The number of the event."""
    task_id: str
    attempts: int
    failures: int
    """Its place in the schedule."""
    trigger: Literal["auto", "manual", "replay"]
    due_at: int
    repeats: int = NO_REPEAT
    """`REPEAT` and `REPEATING` of the domain; 0: it is sent until it arrives."""
    rate_per_second: float | None = None
    """The most its endpoint takes; None: no limit."""


class DueDeliveries(Frozen, frozen=True, kw_only=True):
    """The deliveries that may be sent to an endpoint."""

    heads: tuple[Head, ...]
    """The longest due first."""
    next_at: int | None = None
    """The moment (milliseconds) at which the next one comes due."""
    is_all: bool = False
    """True if no other delivery to the endpoint is pending."""


class PendingEndpoint(Frozen, frozen=True, kw_only=True):
    """An endpoint with pending deliveries."""

    endpoint_id: str
    project: str
    at: int | None
    """The moment (milliseconds) at which the first comes due; None: the endpoint is disabled."""


class DeliveryFailure(Frozen, frozen=True, kw_only=True):
    """A failed attempt; moments in milliseconds."""

    endpoint_id: str
    failing_since: int
    """The first failure since the last success."""
    at: int
    reason: str


class Target(Frozen, frozen=True, kw_only=True):
    """The address of an endpoint, sealed."""

    project: str
    is_implicit: bool
    """Each task brings its own address."""
    url: Sealed | None
    headers: Sealed | None
    """A sealed JSON object."""
    format: Format = "standard"


class LiveSecret(Frozen, frozen=True, kw_only=True):
    """A secret that signs messages now."""

    id: str
    """The id that an attempt records."""
    is_of_project: bool
    """It is stored in the row of its project, and sealed to it."""
    sealed: Sealed


class DeliveryContext(Frozen, frozen=True, kw_only=True):
    """Everything a message is made of."""

    event: Event
    asked: TaskWithSpec | None
    """None: the event is about an endpoint, or its task is no longer kept."""
    target: Target
    callback_url: Sealed | None
    has_newer: bool
    """An event of the same type waits soon behind this one in its lane."""
    body: bytes | None
    """The body that was sent before; None: it was not."""
    secrets: tuple[LiveSecret, ...]
    """The newest first."""
