"""Rules for own events: the event and its deliveries, once for each id of the application."""

import hmac
from collections.abc import Iterable

from msgspec.structs import replace

from gateway.domain.deliveries.commands import PostAllReply, PostEvent, PostEvents, PostReply
from gateway.domain.deliveries.own_event import OwnEvent, PostedEvent
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import Event
from gateway.wire.problem import FieldError


def post(unit: UnitOfWork, command: PostEvent, now: int) -> PostReply:
    """Records the event for the endpoints that want it now."""
    first = unit.idempotency.first(command.idempotency)
    if isinstance(first, PostReply):
        return replace(first, replayed=True)
    reply = _posted(unit, command, now)
    unit.idempotency.store(command.idempotency, reply, now)
    return reply


def post_all(unit: UnitOfWork, command: PostEvents, now: int) -> PostAllReply:
    """Records all of the events, or none."""
    first = unit.idempotency.first(command.idempotency)
    if isinstance(first, PostAllReply):
        return replace(first, replayed=True)
    _check_ids(unit, command.events)
    by_actor = [replace(event, actor=command.actor) for event in command.events]
    reply = PostAllReply(posted=tuple(_posted(unit, event, now) for event in by_actor))
    unit.idempotency.store(command.idempotency, reply, now)
    return reply


def _posted(unit: UnitOfWork, command: PostEvent, now: int) -> PostReply:
    posted = unit.own_events.posted.get((command.project, command.event_id or ""))
    is_known = posted is not None
    if posted is None:
        posted = _record(unit, command, now)
    elif not _is_same(posted.digest, command):
        raise _reused("$.eventId")
    return PostReply(own=posted.own, type=posted.type, at=posted.at, known=is_known)


def _check_ids(unit: UnitOfWork, events: Iterable[PostEvent]) -> None:
    """Refuses events whose id belongs to another one, before any of them is recorded."""
    digests = {key: posted.digest for key, posted in unit.own_events.posted.items()}
    for number, event in enumerate(events):
        if event.event_id is None:
            continue
        known = digests.setdefault((event.project, event.event_id), event.digest)
        if not _is_same(known, event):
            raise _reused(f"$.events[{number}].eventId")


def _record(unit: UnitOfWork, command: PostEvent, now: int) -> PostedEvent:
    own_events, earlier = unit.own_events, len(unit.deliveries.new)
    number = own_events.lanes.get(command.lane, 0) + 1
    own_events.lanes[command.lane] = number
    event = Event(
        task_id=command.lane,
        task_seq=number,
        attempt=0,
        type=command.type,
        at=now,
        source="api",
        data=command.data,
        body_hash=command.digest,
        actor=command.actor,
    )
    unit.events.put(event)
    to = unit.outbox.directory.recipients_of_own(command.project, command.customer)
    unit.deliveries.enqueue(event, to, now)
    own = OwnEvent(
        project=command.project,
        customer=command.customer,
        event_id=command.event_id,
        deliveries=len(unit.deliveries.new) - earlier,
        offset=len(unit.events.new),
    )
    posted = PostedEvent(own=own, type=command.type, at=now, digest=command.digest)
    own_events.put(posted)
    return posted


def _is_same(digest: bytes, command: PostEvent) -> bool:
    return hmac.compare_digest(digest, command.digest)


def _reused(path: str) -> ApiError:
    message = "Another event has this `eventId`."
    return ApiError(
        "event_id_reused",
        message,
        hint="Give each event an id of its own; send the same event again unchanged.",
        errors=(FieldError(path=path, message=message),),
    )
