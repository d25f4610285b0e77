"""What Daytona sees of sandboxes: `POST /v1/webhooks/daytona`, signed as Svix does."""

import hashlib
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.kernel.errors import ApiError
from gateway.domain.sources.message import Message, NoticeReply, SandboxNotice
from gateway.web.context import context_of
from gateway.web.http.body import read_bytes
from gateway.web.http.headers import headers_of
from gateway.web.http.replies import reply
from gateway.web.sources.result import result
from gateway.web.sources.signed import out_of_tolerance, prove, required
from gateway.wire.sources import SANDBOXES, Received, SandboxEvent
from gateway.wire.decode import decode
from gateway.wire.signing import STANDARD, SVIX, MalformedHeaders, SignedHeaders


async def hear(request: Request) -> Response:
    """One event of Daytona, in the order of checks of `interfaces.md` §3."""
    context = context_of(request)
    secrets = required(context.daytona_secrets, "SLIPGATE_DAYTONA_WEBHOOK_SECRETS")
    body = await read_bytes(request)
    headers = _headers(headers_of(request))
    if not headers.is_timely(context.clock() / 1000):
        raise out_of_tolerance()
    prove(headers, secrets, body)
    told = decode(SandboxEvent, body)
    if not told.event.startswith(SANDBOXES) or told.id is None:
        return reply(Received(accepted=True, applied=False, reason="unknown_sandbox"), 202)
    digest = hashlib.sha256(body).hexdigest()
    notice = SandboxNotice(
        message=Message(source="daytona", id=headers.id, body_hash=digest),
        sandbox_id=told.id,
        state=told.new_state or told.state or "unknown",
    )
    return result(await context.ask(notice, NoticeReply))


def _headers(headers: Mapping[str, str]) -> SignedHeaders:
    names = SVIX if SVIX[0] in headers else STANDARD  # accounts with a brand of their own
    try:
        return SignedHeaders.parse(headers, names)
    except MalformedHeaders as exc:
        raise ApiError("malformed_headers", f"{exc}.") from exc
