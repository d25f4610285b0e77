"""Headers of requests and answers."""

from typing import Final

from gateway.web.http.idempotency import KEY_PATTERN
from gateway.web.http.operation import Header, Schema

IDEMPOTENCY_KEY: Final = Header(
    name="Idempotency-Key",
    meaning="The same key and request get the first answer for 24 h, never a second effect.",
    schema={"type": "string", "minLength": 1, "maxLength": 255, "pattern": KEY_PATTERN},
)
TRACEPARENT: Final = Header(
    name="traceparent",
    meaning="W3C Trace Context: kept with the task and handed to its sandbox.",
    schema={"type": "string"},
)
LAST_EVENT_ID: Final = Header(
    name="Last-Event-ID",
    meaning="For event streams: the `id:` of the last event seen; it wins over `after`.",
    schema={"type": "string"},
)

ALWAYS: Final = ("X-Request-Id",)
"""On every answer."""
HEADERS: Final[dict[str, Schema]] = {
    "X-Request-Id": {
        "required": True,
        "description": "The caller's own, if it sent a sane one; it stands in our log.",
        "schema": {"type": "string"},
    },
    "Location": {
        "required": True,
        "description": "Where it is read.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Idempotent-Replayed": {
        "description": "`true`: this is the first answer to the same request.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Slipgate-Patch-Attempt": {
        "required": True,
        "description": "The attempt whose patch it is.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Slipgate-Patch-Base": {
        "description": "The commit it applies to, if its sender has named it.",
        "schema": {"type": "string", "pattern": "^[0-9a-fA-F]{40}([0-9a-fA-F]{24})?$"},
    },
    "Slipgate-Patch-Partial": {
        "description": "`true`: the agent was interrupted (cancelled, out of time, killed).",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Content-Security-Policy": {
        "required": True,
        "description": "Nothing is loaded but the page and its own stylesheet.",
        "schema": {"type": "string"},
    },
    "X-Content-Type-Options": {
        "required": True,
        "description": "The media type is the one that is named.",
        "schema": {"type": "string", "enum": ["nosniff"]},
    },
    "WWW-Authenticate": {
        "required": True,
        "description": "How to prove who calls.",
        "schema": {"type": "string"},
    },
    "RateLimit-Limit": {
        "description": "Requests of this key that may come at once, if it has a rate limit.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit-Remaining": {
        "description": "Those of them that may still come.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Reset": {
        "description": "Seconds until all of them may come again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Policy": {
        "description": "The limit and its window in seconds, `10;w=1`.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "required": True,
        "description": "Seconds after which the same request may be sent again.",
        "schema": {"type": "integer", "minimum": 1},
    },
}
