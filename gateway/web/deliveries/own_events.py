"""Own events: `POST /v1/events`."""

import hashlib
from functools import partial
from typing import Final

import msgspec
from starlette.responses import Response

from gateway.domain.deliveries.commands import PostEvent, PostReply
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
from gateway.wire.own_events import DATA_BYTES, NewEvent, PostedEventView
from gateway.wire.times import rfc3339

_canonical: Final = msgspec.json.Encoder(order="sorted").encode


@Operation(
    id="postEvent",
    tag="Events",
    summary="Send an event of your own",
    description=(
        "It is answered after the commit: from then on its deliveries are never lost. They go to "
        "the endpoints that name its type, and, of a customer's event, to those of that customer."
    ),
    access=TASKS,
    headers=(IDEMPOTENCY_KEY,),
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
    errors=(
        *("invalid_idempotency_key", "idempotency_mismatch", "event_id_reused"),
        *("reserved_event_type", "schema_mismatch"),
    ),
)
async def post(call: Call[NewEvent]) -> Response:
    wanted, context, project = call.body, call.context, call.key.project
    check_type(wanted.type)
    data = bytes(wanted.data)
    _check_data(data)
    await _check_schema(call, data)
    command = PostEvent(
        project=project,
        lane=lane_id(project, wanted.ordering_key)
        if wanted.ordering_key
        else context.new_id("own"),
        is_ordered=wanted.ordering_key is not None,
        type=wanted.type,
        data=data,
        digest=await _digest(call),
        customer=wanted.customer,
        event_id=wanted.event_id,
        idempotency=call.idempotency(),
    )
    posted = await call.ask(command, PostReply)
    view = PostedEventView(
        id=event_id(posted.at, posted.own.seq),
        seq=posted.own.seq,
        type=posted.type,
        at=rfc3339(posted.at),
        customer=posted.own.customer,
        event_id=posted.own.event_id,
        deliveries=posted.own.deliveries,
    )
    return reply(view, 200 if posted.known else 202, is_replayed=posted.replayed)


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


async def _check_schema(call: Call[NewEvent], data: bytes) -> None:
    """Refuses data that the catalogue's schema of its type does not take."""
    known = await call.context.reads.event_type(call.key.project, call.body.type)
    if known is None or known.schema is None:
        return
    if len(data) <= INLINE:
        check_data(known.schema, data)
    else:
        await in_thread(call.context.thread, partial(check_data, known.schema, data))


async def _digest(call: Call[NewEvent]) -> bytes:
    """A hash of the content that another spelling of the same JSON has too."""

    def hashed() -> bytes:
        return hashlib.sha256(_canonical((msgspec.json.decode(data), *others))).digest()

    wanted = call.body
    data, others = bytes(wanted.data), (wanted.type, wanted.customer, wanted.ordering_key)
    if wanted.event_id is None:
        return b""
    return hashed() if len(data) <= INLINE else await in_thread(call.context.thread, hashed)
