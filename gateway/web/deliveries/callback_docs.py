"""What documents the webhooks that we send."""

from typing import Final

from gateway.web.http.operation import Callback, Header
from gateway.web.openapi.examples import (
    FAILING,
    FAILING_STATE,
    PROGRESS,
    RUNNING,
)
from gateway.wire.endpoints import EndpointNotice, EndpointNoticeData
from gateway.wire.tasks import Notice, NoticeData

_HEADERS: Final = (
    Header(
        name="webhook-id",
        meaning="The event's id, the same each time it is sent.",
        schema={"type": "string"},
        is_required=True,
    ),
    Header(
        name="webhook-timestamp",
        meaning="Unix seconds of this attempt to send.",
        schema={"type": "string", "pattern": "^[0-9]+$"},
        is_required=True,
    ),
    Header(
        name="webhook-signature",
        meaning="One `v1,` and base64 for each live secret, separated by spaces.",
        schema={"type": "string"},
        is_required=True,
    ),
    Header(
        name="slipgate-late",
        meaning="Later events of the same task or endpoint were sent before this one.",
        schema={"type": "string", "enum": ["true"]},
    ),
)
NOTICE: Final = Callback(
    id="receiveEvent",
    to="{$request.body#/callbackUrl}",
    summary="An event of this task",
    description=(
        "Standard Webhooks, signed with the callback secret of the project: verify the signature, "
        "drop a `webhook-id` that came before and a task whose `taskSeq` is older than yours, and "
        "answer 2xx within 15 s. Anything else is tried again for days."
    ),
    headers=(
        *_HEADERS,
        Header(
            name="traceparent",
            meaning="The trace that the task was created with.",
            schema={"type": "string"},
        ),
    ),
    kind=Notice,
    example=Notice(
        type=PROGRESS.type,
        timestamp=PROGRESS.at,
        data=NoticeData(event=PROGRESS, task=RUNNING),
    ),
)
ENDPOINT_NOTICE: Final = Callback(
    id="receiveEndpointEvent",
    to="{$request.body#/url}",
    summary="An event about another endpoint of the project",
    description=(
        "For those that ask for `endpoint.*`; events of tasks come as those of a `callbackUrl` do. "
        "`endpoint.failing` comes once nothing has arrived at an endpoint for 4 minutes, "
        "`endpoint.disabled` with why it gets no more, `endpoint.recovered` with the first "
        "delivery that arrives after either. None comes to the endpoint it is about."
    ),
    headers=_HEADERS,
    kind=EndpointNotice,
    example=EndpointNotice(
        type=FAILING.type,
        timestamp=FAILING.at,
        data=EndpointNoticeData(event=FAILING, endpoint=FAILING_STATE),
    ),
)
