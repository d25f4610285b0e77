"""Deliveries: list, show, and send one again."""

import re
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.deliveries.commands import EndpointReply, RetryDelivery
from gateway.domain.kernel.errors import ApiError
from gateway.store.records import Delivery, DeliveryFilter
from gateway.web.context import Context, context_of
from gateway.web.deliveries.views import delivery_view
from gateway.web.http.auth import OPS, authorize
from gateway.web.http.body import read_nothing
from gateway.web.http.cursors import opened_place, sealed_place
from gateway.web.http.query import Text, known_only
from gateway.web.http.replies import reply
from gateway.web.tasks.filters import CURSOR, LIMIT
from gateway.wire.deliveries import DeliveryView
from gateway.wire.tasks import Page

ENDPOINT: Final = Text(name="endpointId", meaning="Only deliveries to this endpoint.")
TASK: Final = Text(name="taskId", meaning="Only deliveries of this task's events.")
STATUS: Final = Text(
    name="status",
    known=("pending", "delivered", "dead", "superseded", "held"),
    meaning="Only deliveries that stand so.",
)
PARAMETERS: Final = (ENDPOINT, TASK, STATUS, LIMIT, CURSOR)
_ID: Final = re.compile(r"dlv_([a-z0-9]{1,40})-([1-9][0-9]{0,17})")
_FIRST: Final = (2**62, "")
"""Behind no delivery: where the list begins."""


async def page(request: Request) -> Response:
    """`GET /v1/deliveries`, newest first."""
    context = context_of(request)
    await authorize(request, context.keys, OPS)
    known_only(request, PARAMETERS)
    wanted = DeliveryFilter(
        endpoint_id=ENDPOINT.of(request), task_id=TASK.of(request), status=STATUS.of(request)
    )
    limit = LIMIT.of(request)
    of_list = b"deliveries" + msgspec.json.encode(wanted)
    before = _place(context, of_list, CURSOR.of(request))
    found = await context.reads.deliveries_before(wanted, before, limit + 1)
    following = None
    if len(found) > limit:
        last = found[limit - 1]
        following = sealed_place(context.keyring, of_list, f"{last.seq} {last.endpoint_id}")
    data = tuple(map(delivery_view, found[:limit]))
    return reply(Page[DeliveryView](data=data, next_cursor=following))


async def show(request: Request) -> Response:
    """`GET /v1/deliveries/{id}`."""
    context = context_of(request)
    await authorize(request, context.keys, OPS)
    return reply(delivery_view(await _delivery(request, context)))


async def retry(request: Request) -> Response:
    """`POST /v1/deliveries/{id}/retry`."""
    context = context_of(request)
    await authorize(request, context.keys, OPS)
    await read_nothing(request)
    endpoint_id, seq = _key(request)
    await context.ask(RetryDelivery(endpoint_id=endpoint_id, seq=seq), EndpointReply)
    return reply(delivery_view(await _delivery(request, context)), 202)


async def _delivery(request: Request, context: Context) -> Delivery:
    endpoint_id, seq = _key(request)
    found = await context.reads.delivery(endpoint_id, seq)
    if found is None:
        raise _not_found()
    return found


def _key(request: Request) -> tuple[str, int]:
    match = _ID.fullmatch(request.path_params["delivery_id"])
    if match is None:
        raise _not_found()
    return f"ep_{match[1]}", int(match[2])


def _not_found() -> ApiError:
    return ApiError("not_found", "There is no such delivery.")


def _place(context: Context, of_list: bytes, cursor: str | None) -> tuple[int, str]:
    if cursor is None:
        return _FIRST
    seq, _, endpoint_id = opened_place(context.keyring, of_list, cursor).partition(" ")
    return int(seq), endpoint_id
