"""Errors as `application/problem+json`."""

from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Route

from gateway.domain.kernel.errors import ApiError
from gateway.web.http.codes import STATUS, TITLES
from gateway.web.http.masking import masked_text
from gateway.web.http.remedies import REMEDIES
from gateway.web.sources.misdirected import correct_address, correct_method
from gateway.wire.decode import WrongShape
from gateway.wire.problem import MEDIA_TYPE, FieldError, Problem

END_CONNECTION: Final = "slipgate.end_connection"
"""ASGI extension of our server: a function that ends the connection after this reply."""
DROP_IN: Final = "/workspace"
"""The drop-in API: its callers show `message` or `error` of a reply that is no success."""
_ROUTES: Final = (
    "`GET /openapi.json` has all routes, /docs the pages about them; the dashboard is /dashboard. "
    "The address of a gateway (SLIPGATE_URL) has no path."
)
_DROP_IN_KEY: Final = (
    "Set DAYTONA_API_KEY to a key of scope tasks: SLIPGATE_API_KEY of .env.frontend, or one that "
    "`slipgate keys create --scope tasks` makes."
)
_PAGES: Final = ("/dashboard/", "/portal/")


def error_response(request: Request, exc: Exception) -> Response:
    """The reply to an expected error."""
    error = to_api_error(exc)
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.code == "too_large":
        _end_connection(request)
    if STATUS[error.code] == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return problem(request, error, headers)


def _end_connection(request: Request) -> None:
    """After this reply: the rest of the body is not read."""
    end = request.scope.get("extensions", {}).get(END_CONNECTION)
    if end is not None:
        end()


def http_error(request: Request, exc: HTTPException) -> Response:
    """The reply to an unknown route or a wrong method."""
    if exc.status_code == 405:
        return _wrong_method(request, dict(exc.headers or {}))
    error = correct_address(request.url.path) or ApiError(
        "not_found", "There is no such route.", hint=_ROUTES
    )
    return problem(request, error)


def _wrong_method(request: Request, headers: dict[str, str]) -> Response:
    page = _page_of_form(request)
    if page is not None:
        return RedirectResponse(page, 303)
    method = request.method
    error = correct_method(method, request.url.path) or ApiError(
        "method_not_allowed", f"{method} is not allowed here."
    )
    headers["Allow"] = _allowed(request, headers.get("Allow", ""))
    return problem(request, error, headers)


def _page_of_form(request: Request) -> str | None:
    """The page above the address of a form, for a browser that loads the answer to it again."""
    path = request.scope["path"]
    if request.method not in ("GET", "HEAD") or not path.startswith(_PAGES):
        return None
    for parent in map(str, PurePosixPath(path).parents):
        scope = {**request.scope, "path": parent}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            return quote(parent)
    return None


def _allowed(request: Request, given: str) -> str:
    """Methods of all routes of the path: Starlette names only those of the first."""
    methods = {method for method in given.split(", ") if method}
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return ", ".join(sorted(methods))


def problem(request: Request, error: ApiError, headers: dict[str, str] | None = None) -> Response:
    """The reply that carries a problem document; the request's log line gets its code."""
    request.state.code = error.code
    shown, path = document(request.state.request_id, error), request.url.path
    if path == DROP_IN or path.startswith(f"{DROP_IN}/") or correct_address(path):
        if STATUS[error.code] in (401, 403):
            error = ApiError(error.code, error.detail, hint=_DROP_IN_KEY)
        shown = msgspec.structs.replace(
            shown, hint=error.hint or shown.hint, message=_message(error), error=error.code
        )
    body = msgspec.json.encode(shown)
    return Response(body, STATUS[error.code], headers=headers, media_type=MEDIA_TYPE)


def _message(error: ApiError) -> str:
    """Every mistake in one text: today's frontend shows nothing else."""
    shown = [f"{field.path.removeprefix('$.')}: {field.message}" for field in error.errors]
    detail = error.detail if len(shown) < 2 else f"{'; '.join(shown)}."
    return f"{detail} {error.hint or REMEDIES.get(error.code, '')}".rstrip()


def document(request_id: str, error: ApiError) -> Problem:
    status = STATUS[error.code]
    return Problem(
        type=f"urn:slipgate:problem:{error.code}",
        title=TITLES[status],
        status=status,
        code=error.code,
        detail=masked_text(error.detail),
        hint=error.hint or REMEDIES.get(error.code),
        errors=tuple(map(_shown, error.errors)) or None,
        request_id=request_id,
    )


def _shown(field: FieldError) -> FieldError:
    return FieldError(path=masked_text(field.path), message=masked_text(field.message))


def to_api_error(exc: Exception) -> ApiError:
    """The error itself, or `invalid_json` or `invalid_request` for a body of the wrong shape."""
    if isinstance(exc, WrongShape):
        return ApiError(exc.code, exc.detail, errors=exc.errors)
    if isinstance(exc, ApiError):
        return exc
    raise exc


class ErrorCollector:
    """Collects the errors of several checks, so that a caller can correct all of them at once."""

    def __init__(self) -> None:
        self._found: list[ApiError] = []

    def __enter__(self) -> None:
        """Each check stands in a `with` of its own, which takes 0.3 µs; a generator took 1 µs."""

    def __exit__(self, _kind: object, exc: BaseException | None, _traceback: object) -> bool:
        if not isinstance(exc, ApiError | WrongShape):
            return False
        self._found.append(to_api_error(exc))
        return True

    def check(self) -> None:
        """Raises the collected errors as one.

        Raises:
            ApiError: the code and the hint of the first, the fields of all.
        """
        if not self._found:
            return
        first = self._found[0]
        details = dict.fromkeys(error.detail for error in self._found)
        raise ApiError(
            first.code,
            " ".join(details),
            hint=" ".join(dict.fromkeys(error.hint for error in self._found if error.hint)) or None,
            errors=tuple(field for error in self._found for field in error.errors),
            retry_after=first.retry_after,
        )
