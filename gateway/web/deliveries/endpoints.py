"""Endpoints: create, list, show, change, delete, enable, disable."""

from functools import partial
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import asdict
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
from gateway.domain.deliveries.endpoint import (
    SLACK,
    Endpoint,
    Patterns,
    check_headers,
    shown_url,
    wanted_types,
)
from gateway.domain.deliveries.outbox import Address
from gateway.domain.kernel.sealing import Sealed, endpoint_headers_context, endpoint_url_context
from gateway.domain.tasks.event import FACTS
from gateway.web.context import Context
from gateway.web.convert import convert
from gateway.web.deliveries.addresses import masked_url, origin_of, outward_url
from gateway.web.deliveries.endpoint_secrets import endpoint_of, new_secret, shown_secret
from gateway.web.deliveries.messages import ALERT_MESSAGE, ENDPOINT_MESSAGE
from gateway.web.http.access import OPS
from gateway.web.http.body import Nothing
from gateway.web.http.call import DRY_RUN as DRY_RUN_QUERY
from gateway.web.http.call import REASON, Call
from gateway.web.http.cursors import CURSOR, LIMIT, keyset_page
from gateway.web.http.fields import wrong_field
from gateway.web.http.headers import IDEMPOTENCY_KEY, REPLAYABLE
from gateway.web.http.operation import CHANGE, DRY_RUN, NOTHING, Body, Operation, answer
from gateway.web.http.query import Text
from gateway.web.http.replies import reply
from gateway.wire.endpoints import (
    DeletedEndpoint,
    Enabling,
    EndpointPatch,
    EndpointView,
    NewEndpoint,
    NewEndpointView,
)
from gateway.wire.message import Change
from gateway.wire.signing import secret_bytes
from gateway.wire.tasks import Page

PROJECT: Final = Text(name="project", meaning="Only endpoints of this project.")
MAX_SECRET: Final = 64
"""Bytes (Standard Webhooks)."""
CUSTOMER: Final = Text(name="customer", meaning="Only endpoints of this customer.")
BY_HAND: Final = "disabled by ops"
operation: Final = partial(Operation, tag="Webhooks", access=OPS)


@operation(
    id="createEndpoint",
    summary="Have a project's events sent to an address",
    description=(
        "It gets the events from now on. `secret` is shown this once; the values of `headers` are "
        "never shown."
    ),
    callback=ENDPOINT_MESSAGE,
    headers=(IDEMPOTENCY_KEY,),
    body=Body(kind=NewEndpoint),
    answers=(
        answer(NewEndpointView, "The endpoint, with its secret.", status=201, headers=REPLAYABLE),
        answer(EndpointView, DRY_RUN),
    ),
    errors=("invalid_idempotency_key", "idempotency_mismatch", "too_many_endpoints"),
)
async def create(call: Call[NewEndpoint]) -> Response:
    context, wanted = call.context, call.body
    endpoint = _endpoint(context, wanted)
    secret, sealed = new_secret(context, endpoint, _given_secret(wanted))
    command = CreateEndpoint(
        endpoint=endpoint,
        address=_address(context, endpoint.id, wanted.url, wanted.headers),
        secret=secret,
        sealed=sealed,
        idempotency=call.idempotency(),
    )
    answer = await call.ask(command, EndpointReply)
    if call.is_dry_run:
        return reply(_endpoint_view(answer.endpoint))
    shown = NewEndpointView(
        **asdict(_endpoint_view(answer.endpoint)),
        secret=await shown_secret(context, answer.secret_id),
    )
    location = f"/v1/endpoints/{answer.endpoint.id}"
    return reply(shown, 201, location=location, is_replayed=answer.replayed)


def _given_secret(wanted: NewEndpoint) -> bytes | None:
    if wanted.secret is None:
        return None
    try:
        key = secret_bytes(wanted.secret)
    except ValueError as exc:
        raise wrong_field("$.secret", f"{exc}") from exc
    if len(key) > MAX_SECRET:
        raise wrong_field("$.secret", f"a webhook secret has at most {MAX_SECRET} bytes")
    return key


@operation(
    id="listEndpoints",
    summary="List endpoints, newest first",
    description="Those that stand for callbacks of tasks are among them (`implicit`).",
    query=(PROJECT, CUSTOMER, LIMIT, CURSOR),
    answers=(answer(Page[EndpointView], "A page of endpoints."),),
    errors=("invalid_cursor",),
)
async def page(call: Call[None]) -> Response:
    project, customer = call[PROJECT], call[CUSTOMER]
    endpoints = call.context.reads.endpoints
    found = await keyset_page(
        call,
        msgspec.json.encode(("endpoints", project, customer)),
        lambda start, limit: endpoints.before(project, *start, limit, customer=customer),
        position=lambda endpoint: (endpoint.created_at, endpoint.id),
        view=_endpoint_view,
    )
    return reply(found)


@operation(
    id="showEndpoint",
    summary="Show an endpoint as it stands",
    description=(
        "The values of its headers, its secrets and the query of its address are never shown."
    ),
    answers=(answer(EndpointView, "The endpoint."),),
    errors=("not_found",),
)
async def show(call: Call[None]) -> Response:
    return reply(_endpoint_view(await endpoint_of(call)))


@operation(
    id="updateEndpoint",
    summary="Change an endpoint",
    description="What is left out stays as it is; `headers` are replaced as a whole.",
    callback=ALERT_MESSAGE,
    body=Body(kind=EndpointPatch),
    answers=(answer(EndpointView, "The endpoint as it now stands."),),
    errors=("not_found", "implicit_endpoint"),
)
async def update(call: Call[EndpointPatch]) -> Response:
    context, wanted, endpoint_id = call.context, call.body, call.path["endpoint_id"]
    command = UpdateEndpoint(
        endpoint_id=endpoint_id,
        changes=_changes(context, wanted),
        address=_address(context, endpoint_id, wanted.url, wanted.headers),
    )
    return await _change(call, command)


@operation(
    id="deleteEndpoint",
    summary="Delete an endpoint",
    description="It gets nothing more: what it was still owed is dead.",
    query=(DRY_RUN_QUERY, REASON),
    body=NOTHING,
    answers=(answer(DeletedEndpoint, "It is no more."),),
    errors=("not_found", "implicit_endpoint"),
)
async def delete(call: Call[Nothing]) -> Response:
    command = DeleteEndpoint(endpoint_id=call.path["endpoint_id"])
    answer = await call.ask(command, EndpointReply)
    return reply(DeletedEndpoint(id=answer.endpoint.id, deleted=not call.is_dry_run))


@operation(
    id="enableEndpoint",
    summary="Enable an endpoint",
    description=(
        "The events it missed are sent before anything newer, or are dead (`backlog`). Idempotent."
    ),
    body=Body(kind=Enabling, is_required=False),
    answers=(answer(EndpointView, "The endpoint, enabled."),),
    errors=("not_found",),
)
async def enable(call: Call[Enabling]) -> Response:
    command = EnableEndpoint(endpoint_id=call.path["endpoint_id"], backlog=call.body.backlog)
    return await _change(call, command)


@operation(
    id="disableEndpoint",
    summary="Disable an endpoint",
    description="Its events are held until it is enabled. Idempotent.",
    body=CHANGE,
    answers=(answer(EndpointView, "The endpoint, disabled.", example="EndpointView:disabled"),),
    errors=("not_found",),
)
async def disable(call: Call[Change]) -> Response:
    command = DisableEndpoint(endpoint_id=call.path["endpoint_id"], reason=BY_HAND)
    return await _change(call, command)


def _endpoint_view(endpoint: Endpoint) -> EndpointView:
    """An endpoint; one that names no types shows those it gets."""
    usual = wanted_types(None)
    return convert(
        EndpointView,
        endpoint,
        url=endpoint.shown_url or endpoint.origin,
        event_types=endpoint.event_types or tuple(name for name in FACTS if name in usual),
        headers=endpoint.header_names,
    )


async def _change(
    call: Call[Any], command: UpdateEndpoint | EnableEndpoint | DisableEndpoint
) -> Response:
    answer = await call.ask(command, EndpointReply)
    return reply(_endpoint_view(answer.endpoint))


def _endpoint(context: Context, wanted: NewEndpoint) -> Endpoint:
    origin = origin_of(outward_url(context, wanted.url, "$.url"))
    check_headers(wanted.headers)
    return Endpoint(
        id=context.new_id("ep"),
        project=wanted.project,
        origin=origin,
        implicit=False,
        shown_url=shown_url(masked_url(wanted.url), origin, wanted.format),
        header_names=tuple(sorted(wanted.headers)),
        description=wanted.description,
        event_types=_checked_types(wanted.event_types)
        or (SLACK if wanted.format == "slack" and wanted.customer is None else None),
        rate_per_second=wanted.rate_per_second,
        metadata=wanted.metadata,
        format=wanted.format,
        customer=wanted.customer,
    )


def _changes(context: Context, wanted: EndpointPatch) -> EndpointChanges:
    url, headers = wanted.url, wanted.headers
    if headers is not UNSET:
        check_headers(headers)
    types = wanted.event_types
    return EndpointChanges(
        origin=UNSET if url is UNSET else origin_of(outward_url(context, url, "$.url")),
        shown_url=UNSET if url is UNSET else masked_url(url),
        header_names=UNSET if headers is UNSET else tuple(sorted(headers)),
        description=wanted.description,
        event_types=UNSET if types is UNSET else _checked_types(types),
        rate_per_second=wanted.rate_per_second,
        metadata=wanted.metadata,
    )


def _checked_types(patterns: Patterns | None) -> Patterns | None:
    try:
        wanted_types(patterns)
    except ValueError as exc:
        raise wrong_field("$.eventTypes", f"No event has the type {str(exc)!r}") from exc
    return patterns


def _address(
    context: Context, endpoint_id: str, url: str | UnsetType, headers: dict[str, str] | UnsetType
) -> Address:
    sealed: Sealed | UnsetType | None = UNSET
    if headers is not UNSET:
        text, purpose = msgspec.json.encode(headers), endpoint_headers_context(endpoint_id)
        sealed = context.seal(text, purpose) if headers else None
    return Address(
        endpoint_id=endpoint_id,
        url=UNSET
        if url is UNSET
        else context.seal(url.encode(), endpoint_url_context(endpoint_id)),
        headers=sealed,
    )
