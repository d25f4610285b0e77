"""Replays: start one, and see how far it has come."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.deliveries.commands import ReplayReply, StartReplay
from gateway.domain.deliveries.replay import NO_LIMIT, Replay
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import typeid
from gateway.web.context import context_of
from gateway.web.deliveries.addresses import wrong_field
from gateway.web.deliveries.endpoint_secrets import known_endpoint
from gateway.web.deliveries.views import replay_view
from gateway.web.http.auth import OPS, authorize
from gateway.web.http.body import read_as
from gateway.web.http.fields import countable
from gateway.web.http.idempotency import REPLAYED, idempotency_of
from gateway.web.http.replies import reply
from gateway.wire.endpoints import NewReplay


async def start(request: Request) -> Response:
    """`POST /v1/endpoints/{id}/replay`."""
    context = context_of(request)
    key = await authorize(request, context.keys, OPS)
    wanted = await read_as(NewReplay, request)
    since = countable(wanted.since, "$.since")
    until = None if wanted.until is None else countable(wanted.until, "$.until")
    if until is not None and until < since:
        raise wrong_field("$.until", "Expected a moment that `since` is not after")
    endpoint = await known_endpoint(request, context)
    now, endpoints = context.clock(), context.reads.endpoints
    replay = Replay(
        id=typeid("rpl", now, context.random_bits()),
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
    idempotency = idempotency_of(request, context.keyring, key.project, wanted)
    answer = await context.ask(StartReplay(replay=replay, idempotency=idempotency), ReplayReply)
    headers = {"Location": f"/v1/replays/{answer.replay.id}"}
    return reply(replay_view(answer.replay), 202, headers | (REPLAYED if answer.replayed else {}))


async def show(request: Request) -> Response:
    """`GET /v1/replays/{id}`."""
    context = context_of(request)
    await authorize(request, context.keys, OPS)
    replay = await context.reads.endpoints.replay(request.path_params["replay_id"])
    if replay is None:
        raise ApiError("not_found", "There is no such replay.")
    return reply(replay_view(replay))
