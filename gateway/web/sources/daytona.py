"""`POST /v1/webhooks/daytona`: states of sandboxes, signed as Svix does."""

import hashlib
from functools import partial

from starlette.responses import Response

from gateway.domain.sources.message import Message, NoticeReply, SandboxNotice
from gateway.web.http.access import DAYTONA
from gateway.web.http.call import Call
from gateway.web.http.operation import Body, Operation
from gateway.web.sources.signed import (
    ANSWERS,
    ERRORS,
    not_applied,
    out_of_tolerance,
    parse_headers,
    prove,
    required,
    result,
)
from gateway.wire.decode import decode
from gateway.wire.message import JSONObject
from gateway.wire.signing import STANDARD, SVIX, SignedHeaders
from gateway.wire.sources import SANDBOXES, SandboxEvent


@Operation(
    id="receiveFromDaytona",
    tag="Services",
    summary="Receive states of sandboxes from Daytona",
    description=(
        "Signed as Svix does, with one of `SLIPGATE_DAYTONA_WEBHOOK_SECRETS`; without any, 404. A "
        "message decides nothing: the sandbox is inspected. Events about sandboxes that are not "
        "ours, snapshots and volumes are taken and not applied."
    ),
    source="daytona",
    access=DAYTONA,
    body=Body(kind=JSONObject, example="receiveFromDaytona", is_raw=True, media_type=None),
    answers=ANSWERS,
    errors=ERRORS,
)
async def receive(call: Call[bytes]) -> Response:
    """Checks in the order of `interfaces.md` §3."""
    secrets = required(call.context.daytona_secrets, "SLIPGATE_DAYTONA_WEBHOOK_SECRETS")
    names = SVIX if SVIX[0] in call.headers else STANDARD  # accounts with a brand of their own
    headers = parse_headers(partial(SignedHeaders.parse, names=names), call.headers)
    if not headers.is_timely(call.context.clock() / 1000):
        raise out_of_tolerance()
    prove(headers, secrets, call.body)
    event = decode(SandboxEvent, call.body)
    if not event.event.startswith(SANDBOXES) or event.id is None:
        return not_applied("unknown_sandbox")
    digest = hashlib.sha256(call.body).hexdigest()
    notice = SandboxNotice(
        message=Message(source="daytona", id=headers.id, body_hash=digest),
        sandbox_id=event.id,
        state=event.new_state or event.state or "unknown",
    )
    return result(await call.ask(notice, NoticeReply))
