"""Rules for own events: the event and its deliveries, once for each id of the application."""

import hmac

from msgspec.structs import replace

from gateway.domain.deliveries.commands import PostEvent, PostReply
from gateway.domain.deliveries.own_event import OwnEvent, PostedEvent
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import Event


def post(unit: UnitOfWork, command: PostEvent, now: int) -> PostReply:
    """Records the event for the endpoints that want it now."""
    first = unit.idempotency.first(command.idempotency)
    if isinstance(first, PostReply):
        return replace(first, replayed=True)
    posted = unit.own_events.posted.get((command.project, command.event_id or ""))
    if posted is None:
        posted, is_known = _record(unit, command, now), False
    else:
        is_known = True
        _check_same(posted, command)
    reply = PostReply(own=posted.own, type=posted.type, at=posted.at, known=is_known)
    unit.idempotency.store(command.idempotency, reply, now)
    return reply


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


def _check_same(posted: PostedEvent, command: PostEvent) -> None:
    if not hmac.compare_digest(posted.digest, command.digest):
        raise ApiError(
            "event_id_reused",
            "Another event has this `eventId`.",
            hint="Give each event an id of its own; send the same event again unchanged.",
        )
