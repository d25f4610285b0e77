"""Pages and actions of the dashboard as ASGI applications: session, form, template, errors."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from gateway.domain.kernel.errors import ApiError
from gateway.web.context import Context, context_of
from gateway.web.dashboard.api import Api
from gateway.web.dashboard.forms import Form, check_form, read_form
from gateway.web.dashboard.rendering import render
from gateway.web.dashboard.session import Session, session_of
from gateway.web.http.codes import STATUS, TITLES
from gateway.web.http.headers import headers_of
from gateway.web.http.masking import masked_text
from gateway.web.http.problems import to_api_error
from gateway.wire.decode import WrongShape

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Visit:
    """One request of somebody who is logged in."""

    def __init__(self, request: Request, context: Context, session: Session, form: Form) -> None:
        self.request = request
        self.context = context
        self.session = session
        self.form = form
        self.path: dict[str, str] = request.path_params
        self.query: Mapping[str, str] = request.query_params
        self.api = Api(request, context, session.key)


Show = Callable[[Visit], Awaitable[Mapping[str, object]]]
"""The variables of the template."""
Act = Callable[[Visit], Awaitable[str | Response]]
"""The address that is shown next, or the response itself."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A decorator of a page's handler: the name of its template."""

    template: str

    def __call__(self, show: Show) -> "Shown":
        async def answer(visit: Visit) -> Response:
            return html(visit, self.template, await show(visit))

        return Shown(answer, method="GET")


def action(act: Act) -> "Shown":
    """A decorator of the handler of a form."""

    async def answer(visit: Visit) -> Response:
        check_form(visit.request, visit.form, visit.session.csrf)
        following = await act(visit)
        return following if isinstance(following, Response) else see_other(following)

    return Shown(answer, method="POST")


def stream(read: Callable[[Visit], Awaitable[Response]]) -> "Shown":
    """A decorator of a handler whose answer goes on."""
    return Shown(read, method="GET")


class Shown:
    """The ASGI application of a page or of an action."""

    def __init__(
        self,
        answer: Callable[[Visit], Awaitable[Response]],
        *,
        method: str,
    ) -> None:
        self.method = method
        self.label = "dashboard"
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._respond(request, context_of(scope))
        for name, text in HEADERS.items():
            response.headers.setdefault(name, text)
        await response(scope, receive, send)

    async def _respond(self, request: Request, context: Context) -> Response:
        try:
            session = await session_of(request)
        except ApiError as exc:
            if STATUS[exc.code] != 401:
                return _failed(request, None, exc)
            return _unknown(request)
        form = await read_form(request) if self.method == "POST" else {}
        visit = Visit(request, context, session, form)
        try:
            return await self._answer(visit)
        except (ApiError, WrongShape) as exc:
            return _failed(request, visit, to_api_error(exc))


def html(
    visit: Visit, template: str, variables: Mapping[str, object], status: int = 200
) -> Response:
    """A rendered page for somebody who is logged in."""
    frame: dict[str, Any] = {
        "session": visit.session,
        "csrf": visit.session.csrf,
        "path": visit.request.url.path,
        "notice": visit.query.get("done", ""),
        "once": secrets.token_urlsafe(16),
        "base": _base_of(visit),
        "now": visit.context.clock(),
    }
    return HTMLResponse(render(template, frame | dict(variables)), status)


def _base_of(visit: Visit) -> str:
    """The address of this gateway, for commands."""
    return (visit.context.public_url or str(visit.request.base_url)).rstrip("/")


def see_other(address: str) -> Response:
    return RedirectResponse(address, 303)


def local_path(text: str, default: str = "/dashboard") -> str:
    """A path of the dashboard that came with a request; the default for any other address."""
    is_path = text.isprintable() and "\\" not in text and "//" not in text
    is_ours = text == "/dashboard" or text.startswith(("/dashboard/", "/dashboard?"))
    return text if is_path and is_ours else default


def _path_of(request: Request) -> str:
    """The address to come back to after the login."""
    if request.method != "GET":
        return "/dashboard"
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def _unknown(request: Request) -> Response:
    """The login; or the page again, for one who came by a link of another site: browsers send a
    `SameSite=Strict` cookie only where the page before is ours."""
    if headers_of(request).get("sec-fetch-site") == "cross-site":
        return HTMLResponse(render("arrived.html", {"session": None}))
    return see_other(f"/dashboard/login?next={quote(_path_of(request), safe='')}")


def _failed(request: Request, visit: Visit | None, error: ApiError) -> Response:
    request.state.code = error.code
    status = STATUS[error.code]
    fields = [(masked_text(one.path), masked_text(one.message)) for one in error.errors]
    variables = {
        "title": TITLES[status],
        "code": error.code,
        "detail": masked_text(error.detail),
        "hint": error.hint,
        "fields": fields,
        "request_id": request.state.request_id,
    }
    if visit is not None:
        return html(visit, "error.html", variables, status)
    return HTMLResponse(render("error.html", variables | {"session": None}), status)
