"""Login with an API key or a link that `slipgate up` prints, and logout."""

import hashlib
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from gateway.domain.kernel.errors import ApiError
from gateway.web.context import Context, context_of
from gateway.web.dashboard.forms import check_site, read_form
from gateway.web.dashboard.page import HEADERS, Visit, action, local_path, see_other
from gateway.web.dashboard.rendering import render
from gateway.web.dashboard.session import (
    COOKIE,
    LIFETIME,
    Ticket,
    check_scope,
    open_ticket,
    seal_ticket,
)
from gateway.web.http.codes import STATUS

LINK: Final = "link"


class Login:
    """`GET` shows the form, or logs in by a link; `POST` logs in with a key."""

    label = "dashboard"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, context = Request(scope, receive), context_of(scope)
        try:
            response = await self._respond(request, context)
        except ApiError as exc:
            request.state.code = exc.code
            response = _form(request, exc.hint or exc.detail, STATUS[exc.code])
        response.headers.update(HEADERS)
        await response(scope, receive, send)

    async def _respond(self, request: Request, context: Context) -> Response:
        if request.method == "POST":
            return await _log_in(request, context)
        if LINK in request.query_params:
            return await _follow(request, context)
        return _form(request, "")


async def _log_in(request: Request, context: Context) -> Response:
    """A session for the key of the form. There is no session yet whose token could guard it, so a
    form of another site is told by Fetch Metadata alone."""
    check_site(request)
    form = await read_form(request)
    key = form.get("key", "").strip()
    client = request.client.host if request.client else ""
    check_scope(await context.keys.of(f"Bearer {key}", client))
    following = local_path(form.get("next", ""))
    return _opened(request, context, hashlib.sha256(key.encode()).digest(), following)


async def _follow(request: Request, context: Context) -> Response:
    """A session by a link, which works once."""
    token, now = request.query_params[LINK], context.clock()
    ticket = open_ticket(context.keyring, "login", token, now)
    if ticket is None or not context.used_tokens.use(token, ticket.ends_at, now):
        raise ApiError(
            "unauthorized",
            "The link has expired, or has been used.",
            hint="This link has expired, or has been used: log in with an API key. "
            "`slipgate up` prints a new link when it starts.",
        )
    check_scope(await context.keys.of_digest(ticket.digest))
    return _opened(request, context, ticket.digest, "/dashboard")


def _opened(request: Request, context: Context, digest: bytes, following: str) -> Response:
    ticket = Ticket(digest, context.clock() + LIFETIME)
    response = see_other(following)
    response.set_cookie(
        COOKIE,
        seal_ticket(context.keyring, "session", ticket, context.nonce()),
        max_age=LIFETIME // 1000,
        path="/dashboard",
        httponly=True,
        samesite="strict",
        secure=is_https(request, context),
    )
    return response


def is_https(request: Request, context: Context) -> bool:
    """True if cookies of this gateway are to be sent over TLS alone."""
    public = context.public_url or ""
    return request.url.scheme == "https" or (
        public.startswith("https:") and request.url.hostname not in {"127.0.0.1", "localhost"}
    )


def _form(request: Request, mistake: str, status: int = 200) -> Response:
    following = local_path(request.query_params.get("next", ""))
    variables = {"session": None, "mistake": mistake, "next": following}
    return HTMLResponse(render("login.html", variables), status)


@action
async def log_out(_visit: Visit) -> Response:
    """Ends the session of this browser."""
    response = see_other("/dashboard/login")
    response.delete_cookie(COOKIE, path="/dashboard", httponly=True, samesite="strict")
    return response
