"""Secrets of endpoints: made, rotated, and tried in a test."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.deliveries.commands import EndpointReply, RotateSecret
from gateway.domain.deliveries.endpoint import Endpoint, SigningSecret
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.sealing import Sealed, signing_secret_context
from gateway.web.context import Context, context_of
from gateway.web.deliveries.views import attempt_view
from gateway.web.http.auth import OPS, authorize
from gateway.web.http.body import read_json, read_nothing
from gateway.web.http.idempotency import REPLAYED, idempotency_of
from gateway.web.http.replies import reply
from gateway.wire.decode import decode
from gateway.wire.endpoints import EndpointTest, EndpointTestData, Rotation, SecretView
from gateway.wire.signing import secret_text
from gateway.wire.times import rfc3339


async def rotate(request: Request) -> Response:
    """`POST …/rotate-secret`."""
    context = context_of(request)
    key = await authorize(request, context.keys, OPS)
    wanted = decode(Rotation, await read_json(request) or b"{}")
    endpoint = await known_endpoint(request, context)
    secret, sealed = new_secret(context, endpoint)
    command = RotateSecret(
        endpoint_id=endpoint.id,
        secret=secret,
        sealed=sealed,
        overlap=wanted.overlap_seconds * 1000,
        idempotency=idempotency_of(request, context.keyring, key.project, wanted),
    )
    answer = await context.ask(command, EndpointReply)
    shown = SecretView(
        key_id=answer.secret_id or "", secret=await shown_secret(context, answer.secret_id)
    )
    return reply(shown, 200, REPLAYED if answer.replayed else {})


async def test(request: Request) -> Response:
    """`POST …/test`: one signed event that is about no task, and what came back."""
    context = context_of(request)
    await authorize(request, context.keys, OPS)
    await read_nothing(request)
    endpoint = await known_endpoint(request, context)
    if endpoint.implicit:
        raise ApiError(
            "implicit_endpoint",
            "The address of an implicit endpoint is the callbackUrl of each task.",
            hint="Create a task with a callbackUrl and look at its deliveries.",
        )
    now = context.clock()
    notice = EndpointTest(timestamp=rfc3339(now), data=EndpointTestData(endpoint_id=endpoint.id))
    webhook_id = typeid("evt", now, context.random_bits())
    attempt = await context.try_endpoint(endpoint, webhook_id, msgspec.json.encode(notice))
    return reply(attempt_view(attempt))


async def known_endpoint(request: Request, context: Context) -> Endpoint:
    """The endpoint of the path.

    Raises:
        ApiError: `not_found`.
    """
    endpoint = await context.reads.endpoints.find(request.path_params["endpoint_id"])
    if endpoint is None:
        raise ApiError("not_found", "There is no such endpoint.")
    return endpoint


def new_secret(context: Context, endpoint: Endpoint) -> tuple[SigningSecret, Sealed]:
    """A secret for the endpoint; an implicit one is signed with that of its project."""
    now = context.clock()
    secret = SigningSecret(
        id=typeid("sec", now, context.random_bits()),
        project=endpoint.project,
        endpoint_id=None if endpoint.implicit else endpoint.id,
        created_at=now,
    )
    sealed = context.keyring.seal(
        context.secret(), context=signing_secret_context(secret.id), nonce=context.nonce()
    )
    return secret, sealed


async def shown_secret(context: Context, secret_id: str | None) -> str | None:
    """The secret as its receiver configures it; None: it is no longer kept."""
    sealed = await context.reads.endpoints.secret(secret_id or "")
    if sealed is None:
        return None
    plain = context.keyring.open(sealed, context=signing_secret_context(secret_id or ""))
    return secret_text(plain)
