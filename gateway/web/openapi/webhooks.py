"""Requests that slipgate sends: those that follow a call, and one webhook for each event type."""

from collections.abc import Iterator
from typing import Final

import msgspec

from gateway.domain.tasks.event import ABOUT_ENDPOINTS, ABOUT_OPERATIONS, QUIET
from gateway.domain.tasks.event_meanings import MEANINGS
from gateway.web.deliveries.fixtures import fixture
from gateway.web.deliveries.messages import (
    ALERT_MESSAGE,
    ENDPOINT_MESSAGE,
    EVENT_MESSAGE,
    OWN_EVENT_MESSAGE,
)
from gateway.web.http.headers import Schema
from gateway.web.http.operation import Callback
from gateway.web.openapi.examples import example_of
from gateway.web.openapi.tags import SENT
from gateway.wire.endpoints import EndpointTest
from gateway.wire.own_events import OwnEventNotice
from gateway.wire.tasks import Notice
from gateway.wire.workspace import FlatEvent

KINDS: Final[tuple[object, ...]] = (Notice, EndpointTest, FlatEvent)
"""Messages that no operation names."""
NOW: Final = 1_767_605_530_000
"""The time of the examples (milliseconds)."""
RANDOM: Final = 0x5F2D_9A3C_71B4_66E8_0D12
FLAT: Final = {
    "workspace.created": "task.launched",
    "task.progress": "task.progress",
    "task.completed": "task.completed",
    "pr.created": "task.needs_review",
    "task.failed": "task.failed",
}
"""Types of flat callbacks, each with an event that it may come of."""
_FLAT_DESCRIPTION: Final = (
    "To the `env.WEBHOOK_URL` of a workspace, in the form that today's frontend reads; an empty "
    "text is an absent one. The last one waits until 5 s after the answer to `POST /workspace`, "
    "and is repeated once after 10 s under the same `webhook-id`."
)
_ANSWERS: Final[Schema] = {
    "2XX": {"description": "Received."},
    "410": {"description": "Gone: the endpoint is disabled and gets no more."},
    "4XX": {
        "description": "Not received: it is sent again after 5 s, 5 min, 30 min and so on, ten "
        "times in all. 429 and 503 may say when by `Retry-After`. Redirects are failures."
    },
}


def header_parameters() -> Schema:
    """The headers of webhooks, for `components.parameters`."""
    return {
        header.name: {
            "name": header.name,
            "in": "header",
            "description": header.meaning,
            "required": header.is_required,
            "schema": header.schema,
        }
        for header in EVENT_MESSAGE.headers
    }


def callbacks(callback: Callback) -> Schema:
    """The request that follows an operation."""
    content = _content(_reference(callback.kind), example_of(callback.kind))
    return {callback.id: {callback.to: {"post": _post(callback, callback.id, content)}}}


def webhooks() -> Schema:
    """The `webhooks` object."""
    return {name: {"post": post} for name, post in (*_standard(), *_single(), *_flat())}


def _standard() -> Iterator[tuple[str, Schema]]:
    for kind, meaning in MEANINGS.items():
        callback = _callback_of(kind)
        schema: Schema = {"allOf": [_reference(callback.kind), _typed(kind)]}
        content = _content(schema, _sample(kind))
        own = {"summary": meaning, "description": _described(kind, callback)}
        yield kind, _post(callback, _id("on", kind), content) | own


def _single() -> Iterator[tuple[str, Schema]]:
    """An event of an own type of the application, and a test."""
    content = _content(_reference(OwnEventNotice), example_of(OwnEventNotice))
    yield "own", _post(OWN_EVENT_MESSAGE, "onOwnEvent", content)
    content = _content(_reference(EndpointTest), example_of(EndpointTest))
    yield (
        "endpoint.test",
        _post(ENDPOINT_MESSAGE, "onEndpointTest", content)
        | {
            "summary": "A test of an endpoint",
            "description": "Sent once by `POST /v1/endpoints/{endpointId}/test`; of no event.",
        },
    )


def _flat() -> Iterator[tuple[str, Schema]]:
    for kind, event in FLAT.items():
        schema: Schema = {"allOf": [_reference(FlatEvent), _typed(kind)]}
        content = _content(schema, _sample(event, flat="app-task-17"))
        yield (
            f"flat.{kind}",
            _post(EVENT_MESSAGE, _id("onFlat", kind), content)
            | {
                "summary": f"Flat callback: {MEANINGS[event][0].lower()}{MEANINGS[event][1:]}",
                "description": _FLAT_DESCRIPTION,
            },
        )


def _sample(kind: str, flat: str | None = None) -> object:
    """The body of an event of this type.

    Raises:
        ValueError: it has none of this form.
    """
    made = fixture(kind, now=NOW, random_bits=RANDOM, flat=flat)
    if made is None:
        raise ValueError(kind)
    return msgspec.json.decode(made.body)


def _content(schema: Schema, example: object) -> Schema:
    return {"application/json": {"schema": schema, "example": example}}


def _post(callback: Callback, name: str, content: Schema) -> Schema:
    headers = [{"$ref": f"#/components/parameters/{one.name}"} for one in callback.headers]
    return {
        "operationId": name,
        "tags": [SENT],
        "summary": callback.summary,
        "description": callback.description,
        "security": [],
        "parameters": headers,
        "requestBody": {"required": True, "content": content},
        "responses": _ANSWERS,
    }


def _callback_of(kind: str) -> Callback:
    if kind in ABOUT_ENDPOINTS:
        return ENDPOINT_MESSAGE
    return ALERT_MESSAGE if kind in ABOUT_OPERATIONS else EVENT_MESSAGE


def _described(kind: str, callback: Callback) -> str:
    """The description of its message; endpoints get quiet types on request alone."""
    group = kind.partition(".")[0]
    asked = f" An endpoint gets it only if its `eventTypes` name it, or `{group}.*`."
    return callback.description + (asked if kind in QUIET else "")


def _typed(kind: str) -> Schema:
    return {"type": "object", "properties": {"type": {"const": kind}}}


def _reference(kind: object) -> Schema:
    return {"$ref": f"#/components/schemas/{getattr(kind, '__name__', kind)}"}


def _id(prefix: str, kind: str) -> str:
    """`task.pr_created` as `onTaskPrCreated`."""
    return prefix + "".join(word.capitalize() for word in kind.replace(".", "_").split("_"))
