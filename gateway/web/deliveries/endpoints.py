"""Endpoints: create, list, show, change, delete, enable, disable."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import asdict
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.deliveries.commands import (
    CreateEndpoint,
    DeleteEndpoint,
    DisableEndpoint,
    EnableEndpoint,
    EndpointChanges,
    EndpointReply,
    UpdateEndpoint,
)
from gateway.domain.deliveries.endpoint import Endpoint, Patterns, check_headers, wanted_types
from gateway.domain.deliveries.outbox import Address
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.sealing import Sealed, endpoint_headers_context, endpoint_url_context
from gateway.web.context import Context, context_of
from gateway.web.deliveries.addresses import (
    masked_url,
    origin_of,
    outward_url,
    wrong_field,
)
from gateway.web.deliveries.endpoint_secrets import known_endpoint, new_secret, shown_secret
from gateway.web.deliveries.views import endpoint_view
from gateway.web.http.auth import OPS, authorize
from gateway.web.http.body import read_as, read_json, read_nothing
from gateway.web.http.cursors import opened_place, sealed_place
from gateway.web.http.idempotency import REPLAYED, idempotency_of
from gateway.web.http.query import Text, known_only
from gateway.web.http.replies import reply
from gateway.web.tasks.filters import CURSOR, LIMIT
from gateway.wire.decode import decode
from gateway.wire.endpoints import (
    DeletedEndpoint,
    Enabling,
    EndpointPatch,
    EndpointView,
    NewEndpoint,
    NewEndpointView,
)
from gateway.wire.tasks import Page

PROJECT: Final = Text(name="project", meaning="Only endpoints of this project.")
PARAMETERS: Final = (PROJECT, LIMIT, CURSOR)
BY_HAND: Final = "disabled by ops"
_FIRST: Final = (2**62, "")
"""Behind no endpoint: where the list begins."""


async def create(request: Request) -> Response:
    """`POST /v1/endpoints`."""
    context = context_of(request)
    key = await authorize(request, context.keys, OPS)
    wanted = await read_as(NewEndpoint, request)
    endpoint = _endpoint(context, wanted)
    secret, sealed = new_secret(context, endpoint)
    command = CreateEndpoint(
        endpoint=endpoint,
        address=_address(context, endpoint.id, wanted.url, wanted.headers),
        secret=secret,
        sealed=sealed,
        idempotency=idempotency_of(request, context.keyring, key.project, wanted),
    )
    answer = await context.ask(command, EndpointReply)
    shown = NewEndpointView(
        **asdict(endpoint_view(answer.endpoint)),
        secret=await shown_secret(context, answer.secret_id),
    )
    headers = {"Location": f"/v1/endpoints/{answer.endpoint.id}"}
    return reply(shown, 201, headers | (REPLAYED if answer.replayed else {}))


async def page(request: Request) -> Response:
    """`GET /v1/endpoints`, newest first."""
    context = context_of(request)
    await authorize(request, context.keys, OPS)
    known_only(request, PARAMETERS)
    limit, project = LIMIT.of(request), PROJECT.of(request)
    of_list = msgspec.json.encode(("endpoints", project))
    at, name = _place(context, of_list, CURSOR.of(request))
    found = await context.reads.endpoints.before(project, at, name, limit + 1)
    following = None
    if len(found) > limit:
        last = found[limit - 1]
        following = sealed_place(context.keyring, of_list, f"{last.created_at} {last.id}")
    data = tuple(map(endpoint_view, found[:limit]))
    return reply(Page[EndpointView](data=data, next_cursor=following))


async def show(request: Request) -> Response:
    """`GET /v1/endpoints/{id}`."""
    context = context_of(request)
    await authorize(request, context.keys, OPS)
    return reply(endpoint_view(await known_endpoint(request, context)))


async def update(request: Request) -> Response:
    """`PATCH /v1/endpoints/{id}`."""
    context = context_of(request)
    await authorize(request, context.keys, OPS)
    wanted = await read_as(EndpointPatch, request)
    endpoint_id = request.path_params["endpoint_id"]
    command = UpdateEndpoint(
        endpoint_id=endpoint_id,
        changes=_changes(context, wanted),
        address=_address(context, endpoint_id, wanted.url, wanted.headers),
    )
    return await _answered(context, command)


async def delete(request: Request) -> Response:
    """`DELETE /v1/endpoints/{id}`."""
    context = context_of(request)
    await authorize(request, context.keys, OPS)
    await read_nothing(request)
    command = DeleteEndpoint(endpoint_id=request.path_params["endpoint_id"])
    answer = await context.ask(command, EndpointReply)
    return reply(DeletedEndpoint(id=answer.endpoint.id, deleted=True))


async def enable(request: Request) -> Response:
    """`POST …/enable`."""
    context = context_of(request)
    await authorize(request, context.keys, OPS)
    wanted = decode(Enabling, await read_json(request) or b"{}")
    command = EnableEndpoint(endpoint_id=request.path_params["endpoint_id"], backlog=wanted.backlog)
    return await _answered(context, command)


async def disable(request: Request) -> Response:
    """`POST …/disable`."""
    context = context_of(request)
    await authorize(request, context.keys, OPS)
    await read_nothing(request)
    command = DisableEndpoint(endpoint_id=request.path_params["endpoint_id"], reason=BY_HAND)
    return await _answered(context, command)


async def _answered(
    context: Context,
    command: UpdateEndpoint | EnableEndpoint | DisableEndpoint,
) -> Response:
    answer = await context.ask(command, EndpointReply)
    return reply(endpoint_view(answer.endpoint))


def _endpoint(context: Context, wanted: NewEndpoint) -> Endpoint:
    origin = _checked_origin(context, wanted.url)
    check_headers(wanted.headers)
    return Endpoint(
        id=typeid("ep", context.clock(), context.random_bits()),
        project=wanted.project,
        origin=origin,
        implicit=False,
        shown_url=masked_url(wanted.url),
        header_names=tuple(sorted(wanted.headers)),
        description=wanted.description,
        event_types=_checked_types(wanted.event_types),
        rate_per_second=wanted.rate_per_second,
        metadata=wanted.metadata,
    )


def _changes(context: Context, wanted: EndpointPatch) -> EndpointChanges:
    url, headers = wanted.url, wanted.headers
    if headers is not UNSET:
        check_headers(headers)
    types = wanted.event_types
    return EndpointChanges(
        origin=UNSET if url is UNSET else _checked_origin(context, url),
        shown_url=UNSET if url is UNSET else masked_url(url),
        header_names=UNSET if headers is UNSET else tuple(sorted(headers)),
        description=wanted.description,
        event_types=UNSET if types is UNSET else _checked_types(types),
        rate_per_second=wanted.rate_per_second,
        metadata=wanted.metadata,
    )


def _checked_origin(context: Context, url: str) -> str:
    parts = outward_url(
        url,
        "$.url",
        allow_private=context.allow_private_endpoints,
        may_be_public=context.may_be_public,
    )
    return origin_of(parts)


def _checked_types(patterns: Patterns | None) -> Patterns | None:
    try:
        wanted_types(patterns)
    except ValueError as exc:
        raise wrong_field("$.eventTypes", f"No event has the type {str(exc)!r}") from exc
    return patterns


def _address(
    context: Context,
    endpoint_id: str,
    url: str | UnsetType,
    headers: dict[str, str] | UnsetType,
) -> Address:
    sealed: Sealed | UnsetType | None = UNSET
    if headers is not UNSET:
        place = endpoint_headers_context(endpoint_id)
        sealed = _sealed(context, msgspec.json.encode(headers), place) if headers else None
    return Address(
        endpoint_id=endpoint_id,
        url=UNSET
        if url is UNSET
        else _sealed(context, url.encode(), endpoint_url_context(endpoint_id)),
        headers=sealed,
    )


def _sealed(context: Context, plain: bytes, place: str) -> Sealed:
    return context.keyring.seal(plain, context=place, nonce=context.nonce())


def _place(context: Context, of_list: bytes, cursor: str | None) -> tuple[int, str]:
    if cursor is None:
        return _FIRST
    at, _, name = opened_place(context.keyring, of_list, cursor).partition(" ")
    return int(at), name
