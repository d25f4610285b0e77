"""Errors as `application/problem+json`: one table from code to status."""

from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from gateway.domain.kernel.errors import ApiError
from gateway.web.http.masking import masked_text
from gateway.web.sources.misdirected import right_door
from gateway.wire.decode import WrongShape
from gateway.wire.problem import MEDIA_TYPE, FieldError, Problem

STATUS: Final = {
    "invalid_http": 400,
    "invalid_json": 400,
    "invalid_cursor": 400,
    "invalid_idempotency_key": 400,
    "unauthorized": 401,
    "invalid_token": 401,
    "token_expired": 401,
    "malformed_headers": 401,
    "timestamp_out_of_tolerance": 401,
    "invalid_signature": 401,
    "forbidden": 403,
    "not_found": 404,
    "unknown_task": 404,
    "unknown_job": 404,
    "no_patch": 404,
    "request_timeout": 408,
    "method_not_allowed": 405,
    "already_finished": 409,
    "not_finished": 409,
    "env_expired": 409,
    "patch_incomplete": 409,
    "lease_lost": 409,
    "launcher_id_taken": 409,
    "realm_mismatch": 409,
    "provider_mismatch": 409,
    "sandbox_mismatch": 409,
    "webhook_id_reused": 409,
    "stale_attempt": 409,
    "implicit_endpoint": 409,
    "endpoint_disabled": 409,
    "too_many_secrets": 409,
    "attempt_finished": 410,
    "cursor_expired": 410,
    "too_large": 413,
    "patch_too_large": 413,
    "uri_too_long": 414,
    "unsupported_media_type": 415,
    "invalid_request": 422,
    "unknown_event_type": 422,
    "idempotency_mismatch": 422,
    "reserved_env": 422,
    "repo_not_allowed": 422,
    "rate_limited": 429,
    "too_many_open": 429,
    "headers_too_large": 431,
    "internal": 500,
    "launch_failed": 502,
    "unavailable": 503,
    "database_replaced": 503,
}
TITLES: Final = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    410: "Gone",
    413: "Content too large",
    414: "URI too long",
    415: "Unsupported media type",
    422: "Unprocessable content",
    429: "Too many requests",
    431: "Request header fields too large",
    500: "Internal error",
    502: "Bad gateway",
    503: "Unavailable",
}
END_CONNECTION: Final = "slipgate.end_connection"
"""The extension of our server: a function without arguments."""
DROP_IN: Final = "/workspace"
"""Its callers show `message` or `error` of whatever is no success."""
_HTTP_CODES: Final = {404: "not_found", 405: "method_not_allowed"}


def refused(request: Request, exc: Exception) -> Response:
    """The reply to what the rules, or the form of the request, do not grant."""
    refusal = as_refusal(exc)
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.code == "too_large":
        _end_connection(request)
    if STATUS[refusal.code] == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return problem(request, refusal, headers)


def _end_connection(request: Request) -> None:
    """Behind this answer: what else comes of the body is not read."""
    end = request.scope.get("extensions", {}).get(END_CONNECTION)
    if end is not None:
        end()


def http_error(request: Request, exc: HTTPException) -> Response:
    """Unknown routes and wrong methods, in the one form of every error."""
    code = _HTTP_CODES.get(exc.status_code, "invalid_request")
    detail = (
        "There is no such route."
        if code == "not_found"
        else f"{request.method} is not allowed here."
    )
    headers = dict(exc.headers or {})
    if exc.status_code == 405:
        headers["Allow"] = _allowed(request, headers.get("Allow", ""))
    refusal = (code == "not_found" and right_door(request.url.path)) or ApiError(code, detail)
    return problem(request, refusal, headers)


def _allowed(request: Request, given: str) -> str:
    """What all routes of the path allow: Starlette names only those of the first."""
    methods = {method for method in given.split(", ") if method}
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return ", ".join(sorted(methods))


def problem(request: Request, refusal: ApiError, headers: dict[str, str] | None = None) -> Response:
    """The reply that carries a problem document; the request's line in the log says so too."""
    request.state.code = refusal.code
    told, path = document(request.state.request_id, refusal), request.url.path
    if path == DROP_IN or path.startswith(f"{DROP_IN}/") or right_door(path):
        told = msgspec.structs.replace(told, message=_message(refusal), error=refusal.code)
    body = msgspec.json.encode(told)
    return Response(body, STATUS[refusal.code], headers=headers, media_type=MEDIA_TYPE)


def _message(refusal: ApiError) -> str:
    """All that is wrong in one text: today's frontend shows nothing else."""
    told = [f"{error.path.removeprefix('$.')}: {error.message}" for error in refusal.errors]
    detail = refusal.detail if len(told) < 2 else f"{'; '.join(told)}."
    return f"{detail} {refusal.hint or ''}".rstrip()


def document(request_id: str, refusal: ApiError) -> Problem:
    """The problem document of a refusal."""
    status = STATUS[refusal.code]
    return Problem(
        type=f"urn:slipgate:problem:{refusal.code}",
        title=TITLES[status],
        status=status,
        code=refusal.code,
        detail=masked_text(refusal.detail),
        hint=refusal.hint,
        errors=tuple(map(_shown, refusal.errors)) or None,
        request_id=request_id,
    )


def _shown(error: FieldError) -> FieldError:
    return FieldError(path=masked_text(error.path), message=masked_text(error.message))


def as_refusal(exc: Exception) -> ApiError:
    """A refusal as it is, and a body of the wrong shape as one."""
    if isinstance(exc, WrongShape):
        return ApiError(exc.code, exc.detail, errors=exc.errors)
    if isinstance(exc, ApiError):
        return exc
    raise exc
