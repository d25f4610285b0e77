"""`/portal` as a link opens it, and the end of its session."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.domain.kernel.errors import ApiError
from gateway.web.context import Context, context_of
from gateway.web.dashboard.page import see_other
from gateway.web.portal.embedding import PATH, headers_for, keep_session
from gateway.web.portal.endpoints import index
from gateway.web.portal.page import Visit, action, failed
from gateway.web.portal.session import LINK, SESSION, seal_ticket, ticket_of

TOKEN: Final = "token"  # noqa: S105 - the name of a parameter


class Login:
    """With a link's token, the beginning of a session; without one, the first page."""

    label = "portal"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if TOKEN not in request.query_params:
            await index(scope, receive, send)
            return
        try:
            response = await _opened(request, context_of(scope))
        except ApiError as exc:
            response = failed(request, exc)
        response.headers.update(headers_for(context_of(scope).portal_origins))
        await response(scope, receive, send)


async def _opened(request: Request, context: Context) -> Response:
    found = await ticket_of(context, LINK, request.query_params[TOKEN])
    response = see_other(PATH)
    seconds = (found.ends_at - context.clock()) // 1000
    keep_session(response, request, context, seal_ticket(context, SESSION, found), seconds)
    return response


@action
async def leave(visit: Visit) -> Response:
    """Ends the session of this browser."""
    response = see_other(PATH)
    keep_session(response, visit.request, visit.context, "", 0)
    return response
