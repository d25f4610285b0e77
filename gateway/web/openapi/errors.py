"""Every error a caller can meet, as the OpenAPI document shows it."""

from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.domain.kernel.errors import ApiError
from gateway.web.http.operation import Operation, Schema
from gateway.web.http.problems import STATUS, TITLES, document
from gateway.wire.problem import MEDIA_TYPE

MEANING: Final = {
    "invalid_http": "These bytes are no request of HTTP/1.1.",
    "request_timeout": "The request did not come whole in time: 10 s for its head, 60 s for its "
    "body.",
    "uri_too_long": "The request line is longer than 64 KiB.",
    "headers_too_large": "The request line and the headers have more than 64 KiB.",
    "rate_limited": "The key has a rate limit, and this request is above it.",
    "too_many_open": "Too many requests of this key, project or attempt are open at once.",
    "invalid_json": "The body is not valid JSON in UTF-8.",
    "invalid_cursor": "This cursor was not made here.",
    "invalid_idempotency_key": "An Idempotency-Key has 1 to 255 printable ASCII characters.",
    "unauthorized": "There is no valid API key in the Authorization header.",
    "invalid_token": "The stream token is not one for this task.",
    "token_expired": "The stream token has expired: get a new one.",
    "malformed_headers": "The webhook headers are missing or not in the standard's form.",
    "timestamp_out_of_tolerance": "What was signed is too old, or from the future: see our clock.",
    "invalid_signature": "The signature, or the token of the URL, does not match.",
    "forbidden": "The key's scope may not do this.",
    "not_found": "There is no such thing, or it belongs to another project.",
    "unknown_task": "There is no such task and attempt.",
    "unknown_job": "There is no such job.",
    "no_patch": "No attempt of this task has sent a patch.",
    "method_not_allowed": "The route does not take this method; `Allow` names those it takes.",
    "already_finished": "The task has already ended.",
    "not_finished": "The task has not ended yet.",
    "env_expired": "The task's environment has been erased: it cannot be tried again.",
    "patch_incomplete": "A part of the patch has not arrived.",
    "lease_lost": "The lease token is not the job's: somebody else holds it now.",
    "launcher_id_taken": "Another key uses this `launcherId`, and its launcher lives.",
    "realm_mismatch": "The sandbox of this attempt belongs to another realm.",
    "provider_mismatch": "The launcher did not claim with this provider and realm.",
    "sandbox_mismatch": "The sandbox has another name than the job's.",
    "webhook_id_reused": "Another body was sent under this webhook-id.",
    "stale_attempt": "A newer attempt has begun.",
    "implicit_endpoint": "It stands for the callbacks of tasks, which bring their address.",
    "endpoint_disabled": "The endpoint is disabled: its events are held.",
    "too_many_secrets": "Each live secret makes the signature longer; retire some.",
    "attempt_finished": "The attempt has ended; stop.",
    "cursor_expired": "Events behind this number have been deleted: something would be missing.",
    "patch_too_large": "The patch is longer than 100 MiB, or its attempt keeps 192 MiB already.",
    "too_large": "The body is larger than the limit of this route.",
    "unsupported_media_type": "The body is not called application/json.",
    "invalid_request": "The request has the wrong shape; `errors` names each wrong path.",
    "unknown_event_type": "No event has this type.",
    "idempotency_mismatch": "This Idempotency-Key was used for another request.",
    "reserved_env": "`env` names a variable that the gateway computes or that is not safe.",
    "repo_not_allowed": "This installation does not work on that repository.",
    "launch_failed": "The sandbox could not be made; `detail` has the provider's reason.",
    "internal": "Something broke here; nothing of it is your fault.",
    "unavailable": "Nothing can be committed just now; nothing was stored.",
    "database_replaced": "The database was changed under the gateway, which has to be restarted.",
}
"""What each code says, whatever the particular case adds in `detail`."""

_EVERYWHERE: Final = ("internal", "unavailable", "database_replaced")
_OF_BODIES: Final = ("invalid_json", "too_large", "invalid_request")
_HEADERS: Final = {
    401: ("WWW-Authenticate",),
    429: (
        "Retry-After",
        "RateLimit-Limit",
        "RateLimit-Remaining",
        "RateLimit-Reset",
        "RateLimit-Policy",
    ),
    503: ("Retry-After",),
}


def codes_of(operation: Operation) -> tuple[str, ...]:
    """Every code the route can answer, in the order of their statuses."""
    codes = {*operation.errors, *operation.access.errors, *_EVERYWHERE}
    if operation.parameters:
        codes.add("invalid_request")
    if operation.body is not None:
        codes |= {*_OF_BODIES}
        if operation.body.media_type is not None:
            codes.add("unsupported_media_type")
    return tuple(code for code in STATUS if code in codes)


def problems(operation: Operation, headers: Schema) -> Schema:
    """The error responses of a route by status; `headers` are those of every answer."""
    codes = codes_of(operation)
    statuses = dict.fromkeys(STATUS[code] for code in codes)
    return {
        str(status): _problem(status, [code for code in codes if STATUS[code] == status], headers)
        for status in statuses
    }


def _problem(status: int, codes: Iterable[str], headers: Schema) -> Schema:
    own: Schema = {name: _reference("headers", name) for name in _HEADERS.get(status, ())}
    examples = {code: {"value": _example(code)} for code in codes}
    return {
        "description": f"{TITLES[status]}: {', '.join(f'`{code}`' for code in examples)}.",
        "headers": headers | own,
        "content": {MEDIA_TYPE: {"schema": _reference("schemas", "Problem"), "examples": examples}},
    }


def _example(code: str) -> object:
    return msgspec.to_builtins(document("5f1c2a90-1", ApiError(code, MEANING[code])))


def _reference(section: str, name: str) -> Schema:
    return {"$ref": f"#/components/{section}/{name}"}
