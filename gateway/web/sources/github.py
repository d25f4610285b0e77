"""`POST /v1/webhooks/github`: ends of pull requests, and requests for more work on them."""

import hashlib
from datetime import datetime
from typing import Final

from starlette.responses import Response

from gateway.domain.kernel.errors import ApiError
from gateway.domain.sources.message import WINDOW, Message, NoticeReply, PullRequestNotice
from gateway.web.http.access import GITHUB
from gateway.web.http.body import check_media_type
from gateway.web.http.call import Call
from gateway.web.http.headers import Parameter
from gateway.web.http.operation import Body, Operation
from gateway.web.sources.follow_ups import follow_up_notice, read_follow_up
from gateway.web.sources.signed import (
    ANSWERS,
    ERRORS,
    not_applied,
    parse_headers,
    prove,
    required,
    result,
)
from gateway.wire.decode import decode
from gateway.wire.message import JSONObject
from gateway.wire.sources import PING, PULL_REQUEST, HubHeaders, PullRequestEvent
from gateway.wire.times import milliseconds

NOT_ALLOWED: Final = "repo_not_allowed"
CLOSED: Final = "closed"
"""The action of merged pull requests, too."""


@Operation(
    id="receiveFromGitHub",
    tag="Services",
    summary="Receive events of pull requests from GitHub",
    description=(
        "Signed with one of `SLIPGATE_GITHUB_WEBHOOK_SECRETS`; without any, 404. `pull_request` "
        "with the action `closed` becomes `task.pr_merged` or `task.pr_closed` of the tasks with "
        "this `prUrl`, in every state, and changes none. A comment that begins with `/slipgate`, a "
        "review that requests changes, and a failed check become a task that continues the pull "
        "request, if `SLIPGATE_GITHUB_FOLLOW_UPS` names `comment`, `review` or `check`. All other "
        "events are taken and not followed."
    ),
    source="github",
    access=GITHUB,
    headers=(
        Parameter(
            name="X-GitHub-Delivery",
            meaning="The delivery's id; the same one again is no second message.",
            schema={"type": "string"},
        ),
        Parameter(
            name="X-GitHub-Event", meaning="What the body tells of.", schema={"type": "string"}
        ),
    ),
    body=Body(kind=JSONObject, example="receiveFromGitHub", is_raw=True),
    answers=ANSWERS,
    errors=(*ERRORS, "intake_paused"),
)
async def receive(call: Call[bytes]) -> Response:
    """Checks in the order of `interfaces.md` §3."""
    secrets = required(call.context.github_secrets, "SLIPGATE_GITHUB_WEBHOOK_SECRETS")
    headers = parse_headers(HubHeaders.parse, call.headers)
    prove(headers, secrets, call.body)
    check_media_type(call.request)
    if headers.event == PING:
        return not_applied("ping")
    if headers.event != PULL_REQUEST:
        return await _follow_up(call, headers)
    event = decode(PullRequestEvent, call.body)
    if event.action != CLOSED:
        return not_applied("not_followed")
    _check_age(event.pull_request.closed_at, call.context.clock())
    return result(await call.ask(_notice(headers.id, call.body, event), NoticeReply))


async def _follow_up(call: Call[bytes], headers: HubHeaders) -> Response:
    asked = read_follow_up(headers.event, call.body)
    if asked is None or asked.kind not in call.context.follow_ups:
        return not_applied("not_followed")
    _check_age(asked.at, call.context.clock())
    try:
        notice = await follow_up_notice(call.context, headers.id, call.body, asked)
    except ApiError as refusal:
        if refusal.code != NOT_ALLOWED:
            raise
        return not_applied(NOT_ALLOWED)
    if notice is None:
        return not_applied("unknown_pull_request")
    return result(await call.ask(notice, NoticeReply))


def _notice(delivery: str, body: bytes, event: PullRequestEvent) -> PullRequestNotice:
    digest = hashlib.sha256(body).hexdigest()
    pull = event.pull_request
    return PullRequestNotice(
        message=Message(source="github", id=delivery, body_hash=digest),
        url=pull.html_url,
        is_merged=pull.merged,
        merge_commit_sha=pull.merge_commit_sha if pull.merged else None,
        by=event.sender.login if event.sender else None,
    )


def _check_age(at: datetime | None, now: int) -> None:
    """Refuses old events: nothing signed says when a body was sent, and a kept copy would be new
    again once its id is forgotten."""
    if at is not None and milliseconds(at) < now - WINDOW:
        raise ApiError(
            "timestamp_out_of_tolerance",
            "It happened more than 7 days ago.",
            hint="GitHub itself sends nothing again after 3 days.",
        )
