"""Sessions of the portal: a sealed link, then a sealed cookie, for one customer of one project.

Both hold the SHA-256 of the API key that made the link, so that a revoked one ends them.
"""

from typing import Final

import msgspec
from starlette.requests import Request

from gateway.domain.kernel.errors import ApiError
from gateway.domain.operations.api_key import ApiKey
from gateway.domain.operations.rate_limit import RateLimit
from gateway.domain.tasks.task import Frozen
from gateway.web.context import Context, context_of
from gateway.web.dashboard.session import csrf_of, open_text, seal_text
from gateway.web.http.codes import STATUS

COOKIE: Final = "slipgate_portal"
LINK: Final = "portal|link|"
SESSION: Final = "portal|session|"
LIMIT: Final = RateLimit(requests_per_second=20, burst=200)
"""Of all sessions of a customer together: many more than people need."""


class PortalTicket(Frozen, frozen=True, array_like=True):
    """The sealed content of a link and of a cookie."""

    digest: bytes
    """SHA-256 of the API key that made the link."""
    project: str
    customer: str
    ends_at: int
    """Milliseconds."""
    generation: int = 0
    """Of the customer's links."""


class PortalKey(ApiKey, frozen=True, kw_only=True):
    """The key in whose name the portal asks the API; it is nowhere stored."""

    customer: str

    @property
    def actor(self) -> str:
        """The customer in the audit log."""
        return f"portal:{self.customer}"


class PortalSession(Frozen, frozen=True, kw_only=True):
    """Somebody who has come by a link."""

    key: PortalKey
    csrf: str
    """The token of every form of this session."""


def seal_ticket(context: Context, purpose: str, ticket: PortalTicket) -> str:
    """A link or a cookie as text."""
    plain = msgspec.msgpack.encode(ticket)
    return seal_text(context.keyring, purpose, plain, context.nonce())


async def ticket_of(context: Context, purpose: str, text: str) -> PortalTicket:
    """The ticket, if it is genuine, has not ended, and whose key lives; or `unauthorized`."""
    plain = open_text(context.keyring, purpose, text)
    found = None if plain is None else msgspec.msgpack.decode(plain, type=PortalTicket)
    if found is None or found.ends_at <= context.clock() or not await _is_alive(context, found):
        raise ApiError(
            "unauthorized",
            "The link has expired, or is no link of this gateway.",
            hint="Open the page again from the application that it belongs to.",
        )
    return found


async def _is_alive(context: Context, found: PortalTicket) -> bool:
    try:
        await context.keys.of_digest(found.digest)
    except ApiError as exc:
        if STATUS[exc.code] != 401:
            raise
        return False
    portal = await context.reads.portal(found.project, found.customer)
    return found.generation == (portal.generation if portal else 0)


async def session_of(request: Request) -> PortalSession:
    """The session of the request's cookie; or `unauthorized`."""
    context, text = context_of(request.scope), request.cookies.get(COOKIE, "")
    found = await ticket_of(context, SESSION, text)
    key = PortalKey(
        id=f"portal:{found.project}:{found.customer}",
        scope="portal",
        project=found.project,
        name=found.customer,
        rate_limit=LIMIT,
        customer=found.customer,
    )
    state = request.scope["state"]
    state["caller"] = key  # for its log line
    context.admission.enter(state, key)
    return PortalSession(key=key, csrf=csrf_of(context.keyring, text))
