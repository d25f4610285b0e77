"""Who may call: API keys by scope, signatures of agents, capability URLs, or everybody."""

from typing import Final

from gateway.web.http import auth
from gateway.web.http.operation import Access, Schema
from gateway.web.tasks.task_access import TOKEN

SCHEMES: Final[Schema] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": (
            "`slip_<scope>_…`, made by `slipgate keys create`. A requirement names one scope that "
            "suffices: `tasks`, `read`, `launcher`, or `ops`, which may do everything."
        ),
    },
    "streamToken": {
        "type": "apiKey",
        "in": "query",
        "name": TOKEN.name,
        "description": TOKEN.meaning,
    },
    "webhookId": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-id",
        "description": "Standard Webhooks: the message's own id; it deduplicates.",
    },
    "webhookTimestamp": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-timestamp",
        "description": "Standard Webhooks: Unix seconds, at most 300 s away from our clock.",
    },
    "webhookSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": (
            "Standard Webhooks: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body` with "
            "the secret, of an agent its attempt's `SLIPGATE_WEBHOOK_SECRET`; several are "
            "separated by spaces."
        ),
    },
    "svixId": {
        "type": "apiKey",
        "in": "header",
        "name": "svix-id",
        "description": "The same as `webhook-id`, by the name that Svix gave it first.",
    },
    "svixTimestamp": {
        "type": "apiKey",
        "in": "header",
        "name": "svix-timestamp",
        "description": "The same as `webhook-timestamp`.",
    },
    "svixSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "svix-signature",
        "description": "The same as `webhook-signature`.",
    },
    "hubSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Hub-Signature-256",
        "description": "GitHub: `sha256=` and the hex of HMAC-SHA256 over the raw body.",
    },
}


def _bearer(scopes: frozenset[str]) -> Access:
    return Access(
        security=tuple({"bearer": [scope]} for scope in sorted(scopes)),
        errors=("unauthorized", "forbidden", "rate_limited", "too_many_open"),
    )


OPEN: Final = Access(security=())
TASKS: Final = _bearer(auth.TASKS)
READ: Final = _bearer(auth.READ)
READ_OR_TOKEN: Final = Access(
    security=(*READ.security, {"streamToken": []}),
    errors=(*READ.errors, "invalid_token", "token_expired"),
)
LAUNCHER: Final = _bearer(auth.LAUNCHER)
OPS: Final = _bearer(auth.OPS)
METRICS: Final = _bearer(auth.METRICS)
SIGNED: Final = Access(
    security=({"webhookId": [], "webhookTimestamp": [], "webhookSignature": []},),
    errors=(
        "malformed_headers",
        "unknown_task",
        "timestamp_out_of_tolerance",
        "invalid_signature",
        "too_many_open",
    ),
)
DAYTONA: Final = Access(
    security=(
        {"svixId": [], "svixTimestamp": [], "svixSignature": []},
        {"webhookId": [], "webhookTimestamp": [], "webhookSignature": []},
    ),
    errors=("malformed_headers", "timestamp_out_of_tolerance", "invalid_signature"),
)
GITHUB: Final = Access(
    security=({"hubSignature": []},),
    errors=("malformed_headers", "timestamp_out_of_tolerance", "invalid_signature"),
)
CAPABILITY: Final = Access(
    security=(), errors=("unknown_task", "invalid_signature", "too_many_open")
)
"""Whoever knows the URL may speak: the token in its path is the proof."""
