"""Own events: events of an application's own types, which are of no task."""

from dataclasses import dataclass, field

from gateway.domain.kernel.ids import digest_id
from gateway.domain.tasks.task import Frozen

EventKey = tuple[str, str]
"""(project, the application's own id of an event)."""


class OwnEvent(Frozen, frozen=True, kw_only=True):
    """An own event, beside its entry in the log."""

    project: str
    customer: str | None = None
    event_id: str | None = None
    """The application's own id."""
    deliveries: int = 0
    """Endpoints that it went to."""
    seq: int = 0
    """Its number in the log; 0 until its batch is written."""
    offset: int = 0
    """Its place among the new events of its batch, from 1."""


class PostedEvent(Frozen, frozen=True, kw_only=True):
    """An own event that was posted, as a repetition of the request has to find it."""

    own: OwnEvent
    type: str
    at: int
    digest: bytes
    """Of its content."""


@dataclass
class OwnEvents:
    """The own events of a unit of work."""

    posted: dict[EventKey, PostedEvent] = field(default_factory=dict)
    """Earlier ones, by the ids that came again."""
    lanes: dict[str, int] = field(default_factory=dict)
    """The number of the newest event of each lane."""
    new: list[OwnEvent] = field(default_factory=list)

    def put(self, posted: PostedEvent) -> None:
        """A new one."""
        self.new.append(posted.own)
        if posted.own.event_id is not None:
            self.posted[posted.own.project, posted.own.event_id] = posted

    @property
    def is_changed(self) -> bool:
        """True if there are new ones."""
        return bool(self.new)


def lane_id(project: str, ordering_key: str) -> str:
    """The id under which the events of an ordering key are stored."""
    return digest_id("own", project, ordering_key)
