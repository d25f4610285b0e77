"""Deliveries: list, show, retry."""

import re
from functools import partial
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from starlette.responses import Response

from gateway.domain.deliveries.commands import EndpointReply, RetryDelivery
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import delivery_id, event_id
from gateway.domain.tasks.event import is_of_task
from gateway.store.records import Delivery, DeliveryFilter
from gateway.web.convert import convert
from gateway.web.http.access import OPS
from gateway.web.http.call import Call
from gateway.web.http.cursors import CURSOR, LIMIT, keyset_page
from gateway.web.http.operation import CHANGE, DRY_RUN, Operation, answer
from gateway.web.http.query import Text
from gateway.web.http.replies import reply
from gateway.wire.deliveries import DeliveryAttemptView, DeliveryView
from gateway.wire.message import Change
from gateway.wire.tasks import Page

ENDPOINT: Final = Text(name="endpointId", meaning="Only deliveries to this endpoint.")
TASK: Final = Text(name="taskId", meaning="Only deliveries of this task's events.")
CUSTOMER: Final = Text(name="customer", meaning="Only deliveries to endpoints of this customer.")
STATUS: Final = Text(
    name="status",
    known=("pending", "delivered", "dead", "superseded", "held"),
    meaning="Only deliveries that stand so.",
)
_ID: Final = re.compile(r"dlv_([a-z0-9]{1,40})-([1-9][0-9]{0,17})")
operation: Final = partial(Operation, tag="Webhooks", access=OPS)


@operation(
    id="listDeliveries",
    summary="List deliveries, those of the newest events first",
    description="One for each event and endpoint, newest first, with its attempts.",
    query=(ENDPOINT, TASK, CUSTOMER, STATUS, LIMIT, CURSOR),
    answers=(answer(Page[DeliveryView], "A page of deliveries."),),
    errors=("invalid_cursor",),
)
async def page(call: Call[None]) -> Response:
    wanted = DeliveryFilter(
        endpoint_id=call[ENDPOINT],
        task_id=call[TASK],
        customer=call[CUSTOMER],
        status=call[STATUS],
        project=call.project,
    )
    found = await keyset_page(
        call,
        b"deliveries" + msgspec.json.encode(wanted),
        partial(call.context.reads.deliveries_before, wanted),
        position=lambda delivery: (delivery.seq, delivery.endpoint_id),
        view=delivery_view,
    )
    return reply(found)


@operation(
    id="showDelivery",
    summary="Show a delivery with all attempts to make it",
    description="Each attempt with its answer, the time it took, and the secret that signed it.",
    answers=(answer(DeliveryView, "The delivery."),),
    errors=("not_found",),
)
async def show(call: Call[None]) -> Response:
    return reply(delivery_view(await _delivery(call)))


@operation(
    id="retryDelivery",
    summary="Send a delivery now, whatever became of it",
    description="It replaces the next automatic attempt; if it fails, the schedule goes on.",
    body=CHANGE,
    answers=(
        answer(DeliveryView, "The delivery, due now.", status=202),
        answer(DeliveryView, DRY_RUN),
    ),
    errors=("not_found", "endpoint_disabled"),
)
async def retry(call: Call[Change]) -> Response:
    endpoint_id, seq = _id_of(call)
    await call.ask(RetryDelivery(endpoint_id=endpoint_id, seq=seq), EndpointReply)
    delivery = await _delivery(call)
    if call.is_dry_run:
        delivery = replace(delivery, status="pending", next_attempt_at=call.context.clock())
    return reply(delivery_view(delivery), call.status(202))


def delivery_view(delivery: Delivery) -> DeliveryView:
    return convert(
        DeliveryView,
        delivery,
        id=delivery_id(delivery.endpoint_id, delivery.seq),
        event_id=event_id(delivery.event_at, delivery.seq),
        task_id=delivery.task_id if is_of_task(delivery.type) else None,
        attempts=tuple(convert(DeliveryAttemptView, each) for each in delivery.attempts),
    )


async def _delivery(call: Call[Any]) -> Delivery:
    found = await call.context.reads.delivery(*_id_of(call))
    if found is None:
        raise _not_found()
    return found


def _id_of(call: Call[Any]) -> tuple[str, int]:
    return parts_of(call.path["delivery_id"])


def parts_of(name: str) -> tuple[str, int]:
    """The endpoint of a delivery, and the number of its event; or `not_found`."""
    match = _ID.fullmatch(name)
    if match is None:
        raise _not_found()
    return f"ep_{match[1]}", int(match[2])


def _not_found() -> ApiError:
    return ApiError("not_found", "There is no such delivery.")
