"""Replays: start, show."""

from functools import partial
from typing import Final

from starlette.responses import Response

from gateway.domain.deliveries.commands import ReplayReply, StartReplay
from gateway.domain.deliveries.replay import NO_LIMIT, Replay
from gateway.domain.kernel.errors import ApiError
from gateway.web.convert import convert
from gateway.web.deliveries.endpoint_secrets import endpoint_of
from gateway.web.http.access import OPS
from gateway.web.http.call import Call
from gateway.web.http.fields import to_millis, wrong_field
from gateway.web.http.headers import IDEMPOTENCY_KEY, REPLAYABLE
from gateway.web.http.operation import Body, Operation, answer
from gateway.web.http.replies import reply
from gateway.wire.endpoints import NewReplay, ReplayView

operation: Final = partial(Operation, tag="Webhooks", access=OPS)


@operation(
    id="replayDeliveries",
    summary="Send the deliveries of a time again",
    description=(
        "Delivered and dead ones of events from `since` on, in order, each with the schedule from "
        "its beginning; `onlyFailed` leaves out what arrived. The job is stored and goes on after "
        "a restart."
    ),
    headers=(IDEMPOTENCY_KEY,),
    body=Body(kind=NewReplay),
    answers=(answer(ReplayView, "The job, stored.", status=202, headers=REPLAYABLE),),
    errors=("invalid_idempotency_key", "idempotency_mismatch", "not_found", "endpoint_disabled"),
)
async def start(call: Call[NewReplay]) -> Response:
    context, wanted = call.context, call.body
    since = to_millis(wanted.since, "$.since")
    until = None if wanted.until is None else to_millis(wanted.until, "$.until")
    if until is not None and until < since:
        raise wrong_field("$.until", "Expected a moment that `since` is not after")
    endpoint = await endpoint_of(call)
    now, endpoints = context.clock(), context.reads.endpoints
    replay = Replay(
        id=context.new_id("rpl"),
        endpoint_id=endpoint.id,
        project=endpoint.project,
        since=since,
        until=until,
        only_failed=wanted.only_failed,
        dry_run=wanted.dry_run,
        after_seq=await endpoints.last_before(since),
        until_seq=NO_LIMIT if until is None else await endpoints.last_before(until + 1),
        created_at=now,
        updated_at=now,
    )
    command = StartReplay(
        replay=replay, idempotency=call.idempotency(), stated_reason=wanted.reason
    )
    answer = await call.ask(command, ReplayReply)
    location = f"/v1/replays/{answer.replay.id}"
    view = convert(ReplayView, answer.replay)
    return reply(view, 202, location=location, is_replayed=answer.replayed)


@operation(
    id="showReplay",
    summary="Show how far a replay has come",
    description="`matched` grows while it runs; it goes on across a restart.",
    answers=(answer(ReplayView, "The job as it stands."),),
    errors=("not_found",),
)
async def show(call: Call[None]) -> Response:
    replay = await call.context.reads.endpoints.replay(call.path["replay_id"])
    if replay is None:
        raise ApiError("not_found", "There is no such replay.")
    return reply(convert(ReplayView, replay))
