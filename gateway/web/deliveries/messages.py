"""Webhooks out: their bodies and their documentation."""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from gateway.domain.deliveries.endpoint import Format
from gateway.domain.tasks.event import AlertEventData, EndpointEventData, Event
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Task
from gateway.store.protocol import Reads
from gateway.web.convert import convert
from gateway.web.deliveries import slack
from gateway.web.http.headers import Parameter
from gateway.web.http.operation import Callback
from gateway.web.sources.flat_view import CANCEL_REQUESTED, flat_view
from gateway.web.tasks.views import event_view, task_view
from gateway.wire.endpoints import (
    AlertNotice,
    AlertNoticeData,
    EndpointNotice,
    EndpointNoticeData,
    EndpointStateView,
)
from gateway.wire.own_events import OwnEventNotice
from gateway.wire.tasks import Notice, NoticeData
from gateway.wire.times import rfc3339

_HEADERS: Final = (
    Parameter(
        name="webhook-id",
        meaning="The event's id, the same each time it is sent.",
        schema={"type": "string"},
        is_required=True,
    ),
    Parameter(
        name="webhook-timestamp",
        meaning="Unix seconds of this attempt to send.",
        schema={"type": "string", "pattern": "^[0-9]+$"},
        is_required=True,
    ),
    Parameter(
        name="webhook-signature",
        meaning="One `v1,` and base64 for each live secret, separated by spaces.",
        schema={"type": "string"},
        is_required=True,
    ),
    Parameter(
        name="slipgate-late",
        meaning="Later events of the same task or endpoint were sent before this one.",
        schema={"type": "string", "enum": ["true"]},
    ),
)
EVENT_MESSAGE: Final = Callback(
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
        Parameter(
            name="traceparent",
            meaning="The trace that the task was created with.",
            schema={"type": "string"},
        ),
    ),
    kind=Notice,
)
ENDPOINT_MESSAGE: Final = Callback(
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
)

ALERT_MESSAGE: Final = Callback(
    id="receiveAlert",
    to="{$request.body#/url}",
    summary="An event about the whole installation",
    description=(
        "For those that name `ops.*` or one of its types; `*` does not. Each problem is told once "
        "when it has lasted a minute (`state` is `firing`), and once when it has been over for a "
        "minute (`resolved`), whatever is restarted in between."
    ),
    headers=_HEADERS,
    kind=AlertNotice,
)

OWN_EVENT_MESSAGE: Final = Callback(
    id="receiveOwnEvent",
    to="{$request.body#/url}",
    summary="An event of a type of your own",
    description=(
        "For endpoints that name its type (`invoice.paid`, `invoice.*`, `*`), and those of its "
        "customer. `data` is byte for byte what was posted."
    ),
    headers=_HEADERS,
    kind=OwnEventNotice,
)

Render = Callable[[Event, tuple[Task, Spec] | None, Format], Awaitable[bytes | None]]
"""The body of an event with its task, if it has one, in the format of its endpoint; None for an
event without a flat form."""


def rendering(reads: Reads, public_url: str | None = None) -> Render:
    """The bodies of webhooks, as `interfaces.md` §4 has them."""

    dashboard = public_url and f"{public_url.rstrip('/')}/dashboard"

    async def render(event: Event, of_task: tuple[Task, Spec] | None, form: Format) -> bytes | None:
        if form == "slack":
            return slack_body(event, of_task)
        if of_task is not None and of_task[1].flat is not None:
            return await _flat(reads, event, *of_task)
        return standard_body(event, of_task)

    def slack_body(event: Event, of_task: tuple[Task, Spec] | None) -> bytes:
        if event.is_own:
            return slack.own_message(event)
        if of_task is None:
            return slack.alert_message(event)
        return slack.task_message(event, *of_task, dashboard)

    return render


def standard_body(event: Event, of_task: tuple[Task, Spec] | None) -> bytes:
    """The body of an event that is neither flat nor for Slack."""
    if of_task is None:
        return _of_no_task(event)
    data = NoticeData(event=event_view(event), task=task_view(*of_task))
    message = Notice(type=event.type, timestamp=rfc3339(event.at), data=data)
    return msgspec.json.encode(message)


def _of_no_task(event: Event) -> bytes:
    if event.is_own:
        return _own_event(event)
    return _about_endpoint(event) if event.is_about_endpoint else _alert(event)


def _own_event(event: Event) -> bytes:
    data = msgspec.Raw(event.data)
    message = OwnEventNotice(type=event.type, timestamp=rfc3339(event.at), data=data)
    return msgspec.json.encode(message)


def _about_endpoint(event: Event) -> bytes:
    fact = event.fact
    if not isinstance(fact, EndpointEventData):
        raise TypeError(f"{event.type} belongs to a task")
    data = EndpointNoticeData(
        event=event_view(event), endpoint=convert(EndpointStateView, fact.endpoint)
    )
    message = EndpointNotice(type=event.type, timestamp=rfc3339(event.at), data=data)
    return msgspec.json.encode(message)


def _alert(event: Event) -> bytes:
    fact = event.fact
    if not isinstance(fact, AlertEventData):
        raise TypeError(f"{event.type} belongs to a task")
    data = convert(AlertNoticeData, fact, event=event_view(event))
    message = AlertNotice(type=event.type, timestamp=rfc3339(event.at), data=data)
    return msgspec.json.encode(message)


async def _flat(reads: Reads, event: Event, task: Task, spec: Spec) -> bytes | None:
    found = await reads.events_of_types(task.id, (CANCEL_REQUESTED,))
    cancels = [cancel for cancel in found if cancel.attempt == event.attempt]
    shown = flat_view(event, task, spec, cancel=cancels[-1] if cancels else None)
    return None if shown is None else msgspec.json.encode(shown)
