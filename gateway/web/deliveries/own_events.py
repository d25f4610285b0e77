"""Own events: post one, post many."""

import hashlib
from functools import partial
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from starlette.responses import Response

from gateway.domain.deliveries.commands import PostAllReply, PostEvent, PostEvents, PostReply
from gateway.domain.deliveries.own_event import lane_id
from gateway.domain.deliveries.type_patterns import RESERVED, reserved_family
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import event_id
from gateway.web.deliveries.event_schemas import check_data
from gateway.web.deliveries.messages import OWN_EVENT_MESSAGE
from gateway.web.http.access import TASKS
from gateway.web.http.body import INLINE, in_thread
from gateway.web.http.call import Call
from gateway.web.http.fields import wrong_field
from gateway.web.http.headers import IDEMPOTENCY_KEY, REPLAYABLE
from gateway.web.http.operation import Body, Operation, answer
from gateway.web.http.replies import reply
from gateway.wire.decode import check_depth
from gateway.wire.own_events import (
    DATA_BYTES,
    NewEvent,
    NewEvents,
    PostedEventsView,
    PostedEventView,
)
from gateway.wire.problem import FieldError
from gateway.wire.times import rfc3339

operation: Final = partial(
    Operation,
    tag="Events",
    access=TASKS,
    headers=(IDEMPOTENCY_KEY,),
    errors=(
        *("invalid_idempotency_key", "idempotency_mismatch", "event_id_reused"),
        *("reserved_event_type", "schema_mismatch"),
    ),
)
_canonical: Final = msgspec.json.Encoder(order="sorted").encode


@operation(
    id="postEvent",
    summary="Send an event of your own",
    description=(
        "It is answered after the commit: from then on its deliveries are never lost. They go to "
        "the endpoints that name its type, and, of a customer's event, to those of that customer."
    ),
    body=Body(kind=NewEvent),
    callback=OWN_EVENT_MESSAGE,
    answers=(
        answer(PostedEventView, "The event, stored.", status=202, headers=REPLAYABLE[1:]),
        answer(
            PostedEventView,
            "It was posted before, under the same `eventId`.",
            headers=REPLAYABLE[1:],
        ),
    ),
)
async def post(call: Call[NewEvent]) -> Response:
    command = await _command(call, call.body)
    posted = await call.ask(replace(command, idempotency=call.idempotency()), PostReply)
    return reply(_view(posted), 200 if posted.known else 202, is_replayed=posted.replayed)


@operation(
    id="postEvents",
    summary="Send many events of your own",
    description=(
        "Up to 100, of all types and customers: all of them are stored, in one transaction, or "
        "none. An `eventId` that is known, or comes twice, posts nothing again."
    ),
    body=Body(kind=NewEvents),
    answers=(
        answer(PostedEventsView, "The events, stored.", status=202, headers=REPLAYABLE[1:]),
        answer(
            PostedEventsView,
            "All of them were posted before, each under the same `eventId`.",
            headers=REPLAYABLE[1:],
        ),
    ),
)
async def post_all(call: Call[NewEvents]) -> Response:
    events = [await _numbered(call, number) for number in range(len(call.body.events))]
    command = PostEvents(events=tuple(events), idempotency=call.idempotency())
    done = await call.ask(command, PostAllReply)
    view = PostedEventsView(data=tuple(map(_view, done.posted)))
    is_known = all(posted.known for posted in done.posted)
    return reply(view, 200 if is_known else 202, is_replayed=done.replayed)


async def _numbered(call: Call[NewEvents], number: int) -> PostEvent:
    """The command of one of many events; its mistakes name it."""
    try:
        return await _command(call, call.body.events[number])
    except ApiError as exc:
        place = f"$.events[{number}]"
        errors = tuple(replace(error, path=place + error.path[1:]) for error in exc.errors)
        errors = errors or (FieldError(path=place, message=exc.detail),)
        detail = f"{errors[0].path}: {errors[0].message}"
        raise ApiError(exc.code, detail, hint=exc.hint, errors=errors) from exc


async def _command(call: Call[Any], wanted: NewEvent) -> PostEvent:
    context, project = call.context, call.key.project
    check_type(wanted.type)
    data = bytes(wanted.data)
    _check_data(data)
    await _check_schema(call, wanted.type, data)
    return PostEvent(
        project=project,
        lane=lane_id(project, wanted.ordering_key)
        if wanted.ordering_key
        else context.new_id("own"),
        is_ordered=wanted.ordering_key is not None,
        type=wanted.type,
        data=data,
        digest=await _digest(call, wanted),
        customer=wanted.customer,
        event_id=wanted.event_id,
    )


def _view(posted: PostReply) -> PostedEventView:
    return PostedEventView(
        id=event_id(posted.at, posted.own.seq),
        seq=posted.own.seq,
        type=posted.type,
        at=rfc3339(posted.at),
        customer=posted.own.customer,
        event_id=posted.own.event_id,
        deliveries=posted.own.deliveries,
    )


def check_type(name: str) -> None:
    """Refuses a type of a family of ours."""
    family = reserved_family(name)
    if family is not None:
        raise ApiError(
            "reserved_event_type",
            f"`{family}.` begins the names of our own events.",
            hint=f"Begin with another word than {', '.join(RESERVED)}.",
        )


def _check_data(data: bytes) -> None:
    if not data.startswith(b"{"):
        raise wrong_field("$.data", "Expected `object`")
    if len(data) > DATA_BYTES:
        raise ApiError("too_large", f"`data` has more than {DATA_BYTES} bytes.")
    check_depth(data)


async def _check_schema(call: Call[Any], kind: str, data: bytes) -> None:
    """Refuses data that the catalogue's schema of its type does not take."""
    known = await call.context.reads.event_type(call.key.project, kind)
    if known is None or known.schema is None:
        return
    if len(data) <= INLINE:
        check_data(known.schema, data)
    else:
        await in_thread(call.context.thread, partial(check_data, known.schema, data))


async def _digest(call: Call[Any], wanted: NewEvent) -> bytes:
    """A hash of the content that another spelling of the same JSON has too."""

    def hashed() -> bytes:
        return hashlib.sha256(_canonical((msgspec.json.decode(data), *others))).digest()

    data, others = bytes(wanted.data), (wanted.type, wanted.customer, wanted.ordering_key)
    if wanted.event_id is None:
        return b""
    return hashed() if len(data) <= INLINE else await in_thread(call.context.thread, hashed)
