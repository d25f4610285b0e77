"""What documents the routes of endpoints, their deliveries and their replays."""

from datetime import UTC, datetime
from typing import Final

from msgspec.structs import asdict, replace

from gateway.web.deliveries import deliveries, endpoints
from gateway.web.deliveries.callback_docs import ENDPOINT_NOTICE
from gateway.web.http import access
from gateway.web.http.body import Nothing
from gateway.web.http.operation import Answer, Body, Content, Operation, answer
from gateway.web.openapi.examples import DELIVERY
from gateway.web.openapi.headers import IDEMPOTENCY_KEY
from gateway.wire.deliveries import DeliveryAttemptView, DeliveryView
from gateway.wire.endpoints import (
    DeletedEndpoint,
    Enabling,
    EndpointPatch,
    EndpointView,
    NewEndpoint,
    NewEndpointView,
    NewReplay,
    ReplayView,
    Rotation,
    SecretView,
)
from gateway.wire.tasks import Page

_TAG: Final = "Webhooks"
_NOTHING: Final = Body(kind=Nothing, example=Nothing(), is_required=False)
_ID: Final = "ep_01k5yb2z7cfkh9dk5qjw9m3x4r"
_ENDPOINT: Final = EndpointView(
    id=_ID,
    project="default",
    url="https://app.example/api/hook?***",
    implicit=False,
    description="the frontend",
    event_types=("task.*",),
    enabled=True,
    disabled_reason=None,
    failing_since=None,
    headers=("X-Api-Key",),
    rate_per_second=20.0,
    metadata={"team": "web"},
    created_at="2026-01-05T09:00:00.000Z",
    updated_at="2026-01-05T09:00:00.000Z",
)
_SECRET: Final = f"whsec_{'c2xpcGdhdGUgc2lnbnMgYW5kIHZlcmlmaWVzIGhvb2s='}"
_REPLAY: Final = ReplayView(
    id="rpl_01k5yb2z7cfkh9dk5qjw9m3x4r",
    endpoint_id=_ID,
    kind="replay",
    status="running",
    since="2026-01-04T00:00:00.000Z",
    until=None,
    only_failed=True,
    dry_run=False,
    matched=500,
    created_at="2026-01-05T09:00:00.000Z",
    updated_at="2026-01-05T09:00:01.000Z",
    finished_at=None,
)


def _created(kind: object, example: object, meaning: str, status: int) -> Answer:
    return Answer(
        status=status,
        meaning=meaning,
        content=(Content(kind=kind, example=example),),
        headers=("Location", "Idempotent-Replayed"),
    )


CREATE: Final = Operation(
    id="createEndpoint",
    tag=_TAG,
    summary="Have a project's events sent to an address",
    description=(
        "It gets the events from now on. `secret` is shown this once; the values of `headers` are "
        "never shown."
    ),
    access=access.OPS,
    callback=ENDPOINT_NOTICE,
    parameters=(IDEMPOTENCY_KEY,),
    body=Body(
        kind=NewEndpoint,
        example=NewEndpoint(
            url="https://app.example/api/hook?token=secret",
            event_types=("task.*",),
            description="the frontend",
            headers={"X-Api-Key": "secret"},
            rate_per_second=20.0,
            metadata={"team": "web"},
        ),
    ),
    answers=(
        _created(
            NewEndpointView,
            NewEndpointView(**asdict(_ENDPOINT), secret=_SECRET),
            "The endpoint, with its secret.",
            201,
        ),
    ),
    errors=("invalid_idempotency_key", "idempotency_mismatch"),
)
LIST: Final = Operation(
    id="listEndpoints",
    tag=_TAG,
    summary="List endpoints, newest first",
    description="Those that stand for callbacks of tasks are among them (`implicit`).",
    access=access.OPS,
    parameters=endpoints.PARAMETERS,
    answers=(
        answer(
            Page[EndpointView],
            Page[EndpointView](data=(_ENDPOINT,), next_cursor=None),
            "A page of endpoints.",
        ),
    ),
    errors=("invalid_cursor",),
)
SHOW: Final = Operation(
    id="showEndpoint",
    tag=_TAG,
    summary="Show an endpoint as it stands",
    access=access.OPS,
    answers=(answer(EndpointView, _ENDPOINT, "The endpoint."),),
    errors=("not_found",),
)
UPDATE: Final = Operation(
    id="updateEndpoint",
    tag=_TAG,
    summary="Change an endpoint",
    description="What is left out stays as it is; `headers` are replaced as a whole.",
    access=access.OPS,
    body=Body(kind=EndpointPatch, example=EndpointPatch(description="the frontend")),
    answers=(answer(EndpointView, _ENDPOINT, "The endpoint as it now stands."),),
    errors=("not_found", "implicit_endpoint"),
)
DELETE: Final = Operation(
    id="deleteEndpoint",
    tag=_TAG,
    summary="Delete an endpoint",
    description="It gets nothing more: what it was still owed is dead.",
    access=access.OPS,
    body=_NOTHING,
    answers=(answer(DeletedEndpoint, DeletedEndpoint(id=_ID, deleted=True), "It is no more."),),
    errors=("not_found", "implicit_endpoint"),
)
ENABLE: Final = Operation(
    id="enableEndpoint",
    tag=_TAG,
    summary="Enable an endpoint",
    description=(
        "The events it missed are sent before anything newer, or are dead (`backlog`). Idempotent."
    ),
    access=access.OPS,
    body=Body(kind=Enabling, example=Enabling(backlog="dead"), is_required=False),
    answers=(answer(EndpointView, _ENDPOINT, "The endpoint, enabled."),),
    errors=("not_found",),
)
DISABLE: Final = Operation(
    id="disableEndpoint",
    tag=_TAG,
    summary="Disable an endpoint",
    description="Its events are held until it is enabled. Idempotent.",
    access=access.OPS,
    body=_NOTHING,
    answers=(
        answer(
            EndpointView,
            replace(_ENDPOINT, enabled=False, disabled_reason=endpoints.BY_HAND),
            "The endpoint, disabled.",
        ),
    ),
    errors=("not_found",),
)
ROTATE: Final = Operation(
    id="rotateEndpointSecret",
    tag=_TAG,
    summary="Give an endpoint a new secret",
    description=(
        "Until `overlapSeconds` are over its webhooks are signed with the older ones too; 0 "
        "retires those at once. The secret of an implicit endpoint is that of all callbacks of "
        "its project."
    ),
    access=access.OPS,
    parameters=(IDEMPOTENCY_KEY,),
    body=Body(kind=Rotation, example=Rotation(overlap_seconds=3_600), is_required=False),
    answers=(
        Answer(
            meaning="The new secret, shown this once.",
            content=(
                Content(
                    kind=SecretView,
                    example=SecretView(key_id="sec_01k5yb2z7cfkh9dk5qjw9m3x4r", secret=_SECRET),
                ),
            ),
            headers=("Idempotent-Replayed",),
        ),
    ),
    errors=(
        "invalid_idempotency_key",
        "idempotency_mismatch",
        "not_found",
        "too_many_secrets",
    ),
)
TEST: Final = Operation(
    id="testEndpoint",
    tag=_TAG,
    summary="Send an endpoint a signed test event, and say what came back",
    description="`type` is `endpoint.test`, `data` its id. It is sent once, and nothing is kept.",
    access=access.OPS,
    body=_NOTHING,
    answers=(answer(DeliveryAttemptView, DELIVERY.attempts[0], "What came back."),),
    errors=("not_found", "implicit_endpoint"),
)
REPLAY: Final = Operation(
    id="replayDeliveries",
    tag=_TAG,
    summary="Send the deliveries of a time again",
    description=(
        "Delivered and dead ones of events from `since` on, in order, each with the schedule from "
        "its beginning; `onlyFailed` leaves out what arrived. The job is stored and goes on after "
        "a restart."
    ),
    access=access.OPS,
    parameters=(IDEMPOTENCY_KEY,),
    body=Body(
        kind=NewReplay,
        example=NewReplay(since=datetime(2026, 1, 4, tzinfo=UTC), only_failed=True),
    ),
    answers=(_created(ReplayView, _REPLAY, "The job, stored.", 202),),
    errors=("invalid_idempotency_key", "idempotency_mismatch", "not_found", "endpoint_disabled"),
)
SHOW_REPLAY: Final = Operation(
    id="showReplay",
    tag=_TAG,
    summary="Show how far a replay has come",
    access=access.OPS,
    answers=(answer(ReplayView, _REPLAY, "The job as it stands."),),
    errors=("not_found",),
)
DELIVERIES: Final = Operation(
    id="listDeliveries",
    tag=_TAG,
    summary="List deliveries, those of the newest events first",
    access=access.OPS,
    parameters=deliveries.PARAMETERS,
    answers=(
        answer(
            Page[DeliveryView],
            Page[DeliveryView](data=(DELIVERY,), next_cursor=None),
            "A page of deliveries.",
        ),
    ),
    errors=("invalid_cursor",),
)
DELIVERY_SHOWN: Final = Operation(
    id="showDelivery",
    tag=_TAG,
    summary="Show a delivery with all attempts to make it",
    access=access.OPS,
    answers=(answer(DeliveryView, DELIVERY, "The delivery."),),
    errors=("not_found",),
)
RETRY: Final = Operation(
    id="retryDelivery",
    tag=_TAG,
    summary="Send a delivery now, whatever became of it",
    description="It replaces the next automatic attempt; if it fails, the schedule goes on.",
    access=access.OPS,
    body=_NOTHING,
    answers=(answer(DeliveryView, DELIVERY, "The delivery, due now.", status=202),),
    errors=("not_found", "endpoint_disabled"),
)
