"""The application around the routes: request ids, one canonical log line, metrics; at its edge
errors become problem documents and bugs become 500."""

import itertools
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.domain.kernel.errors import ApiError
from gateway.domain.operations.api_key import ApiKey
from gateway.web.context import Context
from gateway.web.http.auth import project_of
from gateway.web.http.codes import CODES
from gateway.web.http.headers import read_headers
from gateway.web.http.masking import masked
from gateway.web.http.problems import error_response, http_error, problem
from gateway.web.openapi.document import document
from gateway.wire.decode import WrongShape

log = structlog.get_logger("gateway.request")

_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
HUNG_UP: Final = 499
"""The connection ended before there was an answer; the status is nginx's."""
PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Read every few seconds by machines: a good answer is counted, and no line of the log."""
INTERNAL: Final = ApiError("internal", CODES["internal"][1])


class Application:
    """Pure ASGI: the body of a stream is never gathered here."""

    def __init__(self, context: Context, routes: Sequence[Route]) -> None:
        self.context = context
        self.routes = routes
        # A redirect would be answered by nobody: callers follow none, and bodies do not travel.
        self._router = Router(routes, redirect_slashes=False)
        # A path without parameters is looked up; only the others are searched for.
        self._exact = {
            (method, route.path): route.endpoint
            for route in routes
            if not route.param_convertors
            for method in route.methods or ()
        }
        self._process = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; the lifespan goes to the router."""
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        headers = read_headers(scope)
        request_id = self._request_id(headers.get("x-request-id"))
        scope["app"], scope["state"] = self, {"request_id": request_id, "headers": headers}
        began, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode()))
                message["headers"] += scope["state"].get("added_headers", ())
            await send(message)

        try:
            await self._handler(scope)(scope, receive, answer)
        except ClientDisconnect:
            pass  # nobody is left to be answered, and nothing was done
        except Exception as exc:
            request = Request(scope, receive)
            response = _response_to(exc, request)
            if response is None or status != 0:
                log.exception("request.failed", request_id=request_id, path=masked(scope["path"]))
            if status == 0:
                await (response or problem(request, INTERNAL))(scope, receive, answer)
        finally:
            self.context.admission.leave(scope["state"])
            self._record(scope, status or HUNG_UP, time.perf_counter() - began)

    @cached_property
    def openapi(self) -> bytes:
        """The document of the routes, made at the first request for it."""
        return msgspec.json.encode(document(self.routes))

    def _handler(self, scope: Scope) -> ASGIApp:
        handler = self._exact.get((scope["method"], scope["path"]))
        if handler is None:
            return self._router
        scope["endpoint"] = handler
        return handler

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method, path = scope["method"], scope["path"]
        # Not the path, which is anybody's invention.
        handler = scope.get("endpoint")
        route = "none" if handler is None else handler.label
        self.context.metrics.count_request(route, method, status, seconds)
        if path in PROBES and status < 400:
            return
        log.info(
            "request",
            request_id=scope["state"]["request_id"],
            method=method,
            path=path if (method, path) in self._exact else masked(path),
            status=status,
            ms=round(seconds * 1000, 1),
            **_caller_of(scope["state"]),
        )

    def _request_id(self, given: str | None) -> str:
        """The caller's own, if it is sane; else our process and a number."""
        if given is not None and _SANE_ID.fullmatch(given):
            return given
        return f"{self._process}-{next(self._numbers):x}"


def _caller_of(state: Mapping[str, object]) -> dict[str, object]:
    """The caller's key and the error code, if there are any."""
    fields: dict[str, object] = {}
    key = state.get("caller")
    if isinstance(key, ApiKey):
        fields["key"], fields["project"] = key.id, project_of(key)
    if "code" in state:
        fields["code"] = state["code"]
    return fields


def _response_to(exc: Exception, request: Request) -> Response | None:
    """The response to an expected error; None for a bug."""
    if isinstance(exc, ApiError | WrongShape):
        return error_response(request, exc)
    return http_error(request, exc) if isinstance(exc, HTTPException) else None
