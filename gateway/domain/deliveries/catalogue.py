"""Rules for the catalogue of event types: put, delete."""

from msgspec.structs import replace

from gateway.domain.deliveries.event_type import DeleteEventType, EventTypeReply, PutEventType
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.unit_of_work import UnitOfWork


def put(unit: UnitOfWork, command: PutEventType, now: int) -> EventTypeReply:
    """Describes the type for events from now on; those that were posted stay as they are."""
    wanted = command.event_type
    before = unit.event_types.get((wanted.project, wanted.name))
    created_at = now if before is None else before.created_at
    after = replace(wanted, created_at=created_at, updated_at=now)
    unit.event_types.deleted.discard((after.project, after.name))
    unit.event_types.put(after)
    action = "event_type.created" if before is None else "event_type.updated"
    unit.audit.emit(action, after.name, after.project)
    return EventTypeReply(event_type=after, is_new=before is None)


def delete(unit: UnitOfWork, command: DeleteEventType, _now: int) -> EventTypeReply:
    """Forgets the description; events of the type are taken as before."""
    key = (command.project, command.name)
    event_type = unit.event_types.get(key)
    if event_type is None:
        raise ApiError("not_found", "The catalogue has no such event type.")
    unit.event_types.remove(key)
    unit.audit.emit("event_type.deleted", event_type.name, event_type.project)
    return EventTypeReply(event_type=event_type)
