"""Around every request: its id, one canonical log line, and the edge where bugs become 500."""

import itertools
import re
import secrets
import time
from collections.abc import Callable
from functools import cache
from typing import Final, Protocol

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.domain.errors import Refused
from gateway.web.problems import problem

log = structlog.get_logger("gateway.request")

_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_HOOKS: Final = "/v1/hooks/"
_TOKEN_IN_PATH: Final = re.compile(rf"({_HOOKS}[^/]+/)[^/]+")


HUNG_UP: Final = 499
"""What nginx calls it: the connection ended before there was an answer."""


class Count(Protocol):
    """Counts one answer."""

    def __call__(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Seconds from the request to its answer."""


class Requests:
    """Pure ASGI: the body of a stream is never gathered here."""

    def __init__(self, app: ASGIApp, count: Count) -> None:
        self._app = app
        self._count = count
        self._process = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or whatever else a server sends through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        began = time.perf_counter()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                told = (b"x-request-id", request_id.encode())
                message["headers"] = [*message.get("headers", ()), told]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except ClientDisconnect:
            pass  # nobody is left to be answered, and nothing was done
        except Exception:
            log.exception("request.failed", request_id=request_id, path=masked(scope["path"]))
            if status == 0:
                await _internal(request_id)(scope, receive, answer)
        finally:
            self._record(scope, status or HUNG_UP, time.perf_counter() - began)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        self._count(route=_route(scope), method=scope["method"], status=status, seconds=seconds)
        log.info(
            "request",
            request_id=scope["state"]["request_id"],
            method=scope["method"],
            path=masked(scope["path"]),
            status=status,
            ms=round(seconds * 1000, 1),
            **scope["state"].get("facts", {}),
        )

    def _request_id(self, scope: Scope) -> str:
        """The caller's own, if it is sane; else our process and a number."""
        given = Headers(scope=scope).get("x-request-id", "")
        if _SANE_ID.fullmatch(given):
            return given
        return f"{self._process}-{next(self._numbers):x}"


def _route(scope: Scope) -> str:
    """The handler's name: a path is anybody's invention."""
    endpoint = scope.get("endpoint")
    return "none" if endpoint is None else _name(endpoint)


@cache
def _name(endpoint: Callable[..., object]) -> str:
    return f"{endpoint.__module__.rpartition('.')[2]}.{endpoint.__name__}"


def masked(path: str) -> str:
    """A path without the token of a capability URL."""
    return _TOKEN_IN_PATH.sub(r"\1***", path) if path.startswith(_HOOKS) else path


def _internal(request_id: str) -> ASGIApp:
    return problem(
        request_id, Refused("internal", "Something broke here; nothing of it is your fault.")
    )
