"""Secrets of endpoints: create, rotate, and try in a test."""

from functools import partial
from typing import Any, Final

import msgspec
from starlette.responses import Response

from gateway.domain.deliveries.commands import EndpointReply, RotateSecret
from gateway.domain.deliveries.endpoint import Endpoint, SigningSecret
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.sealing import Sealed, signing_secret_context
from gateway.web.context import Context
from gateway.web.convert import convert
from gateway.web.deliveries import slack
from gateway.web.http.access import OPS
from gateway.web.http.body import Nothing
from gateway.web.http.call import Call
from gateway.web.http.headers import IDEMPOTENCY_KEY
from gateway.web.http.operation import NOTHING, Body, Operation, answer
from gateway.web.http.replies import reply
from gateway.wire.deliveries import DeliveryAttemptView
from gateway.wire.endpoints import EndpointTest, EndpointTestData, Rotation, SecretView
from gateway.wire.signing import secret_text
from gateway.wire.times import rfc3339

operation: Final = partial(Operation, tag="Webhooks", access=OPS)


@operation(
    id="rotateEndpointSecret",
    summary="Give an endpoint a new secret",
    description=(
        "Until `overlapSeconds` are over its webhooks are signed with the older ones too; 0 "
        "retires those at once. The secret of an implicit endpoint is that of all callbacks of "
        "its project."
    ),
    headers=(IDEMPOTENCY_KEY,),
    body=Body(kind=Rotation, is_required=False),
    answers=(
        answer(SecretView, "The new secret, shown this once.", headers=("Idempotent-Replayed",)),
    ),
    errors=("invalid_idempotency_key", "idempotency_mismatch", "not_found", "too_many_secrets"),
)
async def rotate(call: Call[Rotation]) -> Response:
    endpoint = await endpoint_of(call)
    secret, sealed = new_secret(call.context, endpoint)
    command = RotateSecret(
        endpoint_id=endpoint.id,
        secret=secret,
        sealed=sealed,
        overlap=call.body.overlap_seconds * 1000,
        idempotency=call.idempotency(),
    )
    answer = await call.ask(command, EndpointReply)
    text = await shown_secret(call.context, answer.secret_id)
    shown = SecretView(key_id=answer.secret_id or "", secret=text)
    return reply(shown, is_replayed=answer.replayed)


@operation(
    id="testEndpoint",
    summary="Send an endpoint a signed test event, and say what came back",
    description="`type` is `endpoint.test`, `data` its id. It is sent once, and nothing is kept.",
    body=NOTHING,
    answers=(answer(DeliveryAttemptView, "What came back."),),
    errors=("not_found", "implicit_endpoint"),
)
async def test(call: Call[Nothing]) -> Response:
    context, endpoint = call.context, await endpoint_of(call)
    if endpoint.implicit:
        raise ApiError(
            "implicit_endpoint",
            "The address of an implicit endpoint is the callbackUrl of each task.",
            hint="Create a task with a callbackUrl and look at its deliveries.",
        )
    webhook_id = context.new_id("evt")
    body = _test_body(endpoint, rfc3339(context.clock()))
    attempt = await context.try_endpoint(endpoint, webhook_id, body)
    return reply(convert(DeliveryAttemptView, attempt))


def _test_body(endpoint: Endpoint, at: str) -> bytes:
    if endpoint.format == "slack":
        return slack.test_message(endpoint.id)
    data = EndpointTestData(endpoint_id=endpoint.id)
    return msgspec.json.encode(EndpointTest(timestamp=at, data=data))


async def endpoint_of(call: Call[Any]) -> Endpoint:
    """The endpoint that the path names, or `not_found`."""
    endpoint = await call.context.reads.endpoints.find(call.path["endpoint_id"])
    if endpoint is None:
        raise ApiError("not_found", "There is no such endpoint.")
    return endpoint


def new_secret(
    context: Context, endpoint: Endpoint, key: bytes | None = None
) -> tuple[SigningSecret, Sealed]:
    """A new secret of the endpoint, or of the project of an implicit one; `key` is its content,
    random without one."""
    secret = SigningSecret(
        id=context.new_id("sec"),
        project=endpoint.project,
        endpoint_id=None if endpoint.implicit else endpoint.id,
        created_at=context.clock(),
    )
    return secret, context.seal(key or context.secret(), signing_secret_context(secret.id))


async def shown_secret(context: Context, secret_id: str | None) -> str | None:
    """The secret as its receiver configures it; None if it is no longer kept."""
    sealed = await context.reads.endpoints.secret(secret_id or "")
    if sealed is None:
        return None
    plain = context.keyring.open(sealed, context=signing_secret_context(secret_id or ""))
    return secret_text(plain)
