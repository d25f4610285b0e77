"""What GitHub sees of pull requests: `POST /v1/webhooks/github`."""

import hashlib
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.kernel.errors import ApiError
from gateway.domain.sources.message import (
    WINDOW,
    Message,
    NoticeReply,
    PullRequestNotice,
)
from gateway.web.context import context_of
from gateway.web.http.body import check_media_type, read_bytes
from gateway.web.http.headers import headers_of
from gateway.web.http.replies import reply
from gateway.web.sources.result import result
from gateway.web.sources.signed import prove, required
from gateway.wire.decode import decode
from gateway.wire.signing import MalformedHeaders
from gateway.wire.sources import PING, PULL_REQUEST, HubHeaders, PullRequestEvent, Received
from gateway.wire.times import milliseconds

CLOSED: Final = "closed"
"""The action of a pull request that was merged, too."""


async def hear(request: Request) -> Response:
    """One delivery of GitHub, in the order of checks of `interfaces.md` §3."""
    context = context_of(request)
    secrets = required(context.github_secrets, "SLIPGATE_GITHUB_WEBHOOK_SECRETS")
    body = await read_bytes(request)
    headers = _headers(request)
    prove(headers, secrets, body)
    check_media_type(request)
    if headers.event == PING:
        return reply(Received(accepted=True, applied=False, reason="ping"), 202)
    told = decode(PullRequestEvent, body) if headers.event == PULL_REQUEST else None
    if told is None or told.action != CLOSED:
        return reply(Received(accepted=True, applied=False, reason="not_followed"), 202)
    _check_age(told.pull_request.closed_at, context.clock())
    return result(await context.ask(_notice(headers.id, body, told), NoticeReply))


def _notice(delivery: str, body: bytes, told: PullRequestEvent) -> PullRequestNotice:
    digest = hashlib.sha256(body).hexdigest()
    pull = told.pull_request
    return PullRequestNotice(
        message=Message(source="github", id=delivery, body_hash=digest),
        url=pull.html_url,
        is_merged=pull.merged,
        merge_commit_sha=pull.merge_commit_sha if pull.merged else None,
        by=told.sender.login if told.sender else None,
    )


def _check_age(closed_at: datetime | None, now: int) -> None:
    """Nothing signed says when it was sent, so that a body which somebody has kept would be news
    again as soon as we have forgotten it."""
    if closed_at is not None and milliseconds(closed_at) < now - WINDOW:
        raise ApiError(
            "timestamp_out_of_tolerance",
            "The pull request was closed more than 7 days ago.",
            hint="GitHub itself sends nothing again after 3 days.",
        )


def _headers(request: Request) -> HubHeaders:
    try:
        return HubHeaders.parse(headers_of(request))
    except MalformedHeaders as exc:
        raise ApiError("malformed_headers", f"{exc}.") from exc
