"""Pages and actions of the portal as ASGI applications: session, form, template, errors."""

import secrets
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from gateway.domain.kernel.errors import ApiError
from gateway.web.context import Context, context_of
from gateway.web.dashboard.forms import Sent, check_form, read_form
from gateway.web.dashboard.page import see_other
from gateway.web.dashboard.rendering import render
from gateway.web.http.codes import STATUS, TITLES
from gateway.web.http.masking import masked_text
from gateway.web.http.problems import to_api_error
from gateway.web.portal.api import PortalApi
from gateway.web.portal.embedding import headers_for
from gateway.web.portal.session import PortalSession, session_of
from gateway.wire.decode import WrongShape


class Visit:
    """One request of a customer."""

    def __init__(
        self, request: Request, context: Context, session: PortalSession, form: Sent
    ) -> None:
        self.request = request
        self.context = context
        self.session = session
        self.form = form
        self.path: dict[str, str] = request.path_params
        self.query: Mapping[str, str] = request.query_params
        self.api = PortalApi(request, context, session.key)


Answer = Callable[[Visit], Awaitable[str | Response]]
"""The address that is shown next, or the response itself."""


class Shown:
    """The ASGI application of a page (GET) or of an action (POST)."""

    label = "portal"

    def __init__(self, answer: Answer, method: str) -> None:
        self.method = method
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._respond(request, context_of(scope))
        except (ApiError, WrongShape) as exc:
            response = failed(request, to_api_error(exc))
        response.headers.update(headers_for(context_of(scope).portal_origins))
        await response(scope, receive, send)

    async def _respond(self, request: Request, context: Context) -> Response:
        session = await session_of(request)
        form = await read_form(request) if self.method == "POST" else Sent()
        if self.method == "POST":
            check_form(request, form, session.csrf)
        answer = await self._answer(Visit(request, context, session, form))
        return answer if isinstance(answer, Response) else see_other(answer)


def page(answer: Answer) -> Shown:
    """A decorator of the handler of a page."""
    return Shown(answer, "GET")


def action(answer: Answer) -> Shown:
    """A decorator of the handler of a form."""
    return Shown(answer, "POST")


def html(visit: Visit, template: str, *, status: int = 200, **variables: object) -> Response:
    """A rendered page for a customer."""
    frame: dict[str, object] = {
        "customer": visit.session.key.customer,
        "csrf": visit.session.csrf,
        "path": visit.request.url.path,
        "notice": visit.query.get("done", ""),
        "once": secrets.token_urlsafe(16),
        "base": "",
        "now": visit.context.clock(),
    }
    return HTMLResponse(render(f"portal/{template}", frame | variables), status)


def failed(request: Request, error: ApiError) -> Response:
    """The page of a refusal; it shows nothing of a session."""
    request.state.code = error.code
    status = STATUS[error.code]
    fields = [(masked_text(one.path), masked_text(one.message)) for one in error.errors]
    variables = {
        "customer": None,
        "title": TITLES[status],
        "detail": masked_text(error.detail),
        "hint": error.hint,
        "fields": fields,
        "notice": "",
    }
    return HTMLResponse(render("portal/error.html", variables), status)
