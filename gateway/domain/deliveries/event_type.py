"""Event types: the catalogue in which an application describes its own."""

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.part import Rows
from gateway.domain.kernel.read_set import Command, ReadSet
from gateway.domain.tasks.task import Frozen

EventTypeKey = tuple[str, str]
"""(project, name)."""


class EventType(Frozen, frozen=True, kw_only=True):
    """One of a project's own types; times in milliseconds."""

    project: str
    name: str
    description: str
    schema: str | None = None
    """A JSON Schema that the data of its events has to match, as JSON."""
    example: str | None = None
    """Such data, as JSON."""
    deprecated: bool = False
    created_at: int = 0
    updated_at: int = 0


class EventTypes(Rows[EventTypeKey, EventType]):
    """The types of a unit of work."""

    def __init__(self) -> None:
        super().__init__(lambda kind: (kind.project, kind.name))
        self.deleted: set[EventTypeKey] = set()

    def remove(self, key: EventTypeKey) -> None:
        """A type that the catalogue no longer has."""
        del self[key]
        self.changed.pop(key, None)
        self.deleted.add(key)

    @property
    def is_changed(self) -> bool:
        """True if a row has to be written or deleted."""
        return bool(self.changed or self.deleted)


class PutEventType(Command, frozen=True, kw_only=True):
    """`PUT /v1/event-types/{name}`."""

    event_type: EventType

    @property
    def needs(self) -> ReadSet:
        return ReadSet(event_types=((self.event_type.project, self.event_type.name),))


class DeleteEventType(Command, frozen=True, kw_only=True):
    """`DELETE /v1/event-types/{name}`."""

    project: str
    name: str

    @property
    def needs(self) -> ReadSet:
        return ReadSet(event_types=((self.project, self.name),))


class EventTypeReply(Answer, frozen=True, kw_only=True):
    """The type after the command, or as it was before it was deleted."""

    event_type: EventType
    is_new: bool = False
