"""Sessions of the portal: a sealed link, then a sealed cookie, for one customer of one project."""

from typing import Final

import msgspec
from starlette.requests import Request

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.keyring import Keyring
from gateway.domain.operations.api_key import ApiKey
from gateway.domain.tasks.task import Frozen
from gateway.web.context import Context, context_of
from gateway.web.dashboard.session import csrf_of, open_text, seal_text

COOKIE: Final = "slipgate_portal"
LINK: Final = "portal|link|"
SESSION: Final = "portal|session|"


class Pass(Frozen, frozen=True, array_like=True):
    """The sealed content of a link and of a cookie."""

    project: str
    customer: str
    ends_at: int
    """Milliseconds."""


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


def seal_pass(context: Context, purpose: str, given: Pass) -> str:
    """A link or a cookie as text."""
    plain = msgspec.msgpack.encode(given)
    return seal_text(context.keyring, purpose, plain, context.nonce())


def open_pass(keyring: Keyring, purpose: str, text: str, now: int) -> Pass | None:
    """The pass, if it is genuine and has not expired."""
    plain = open_text(keyring, purpose, text)
    if plain is None:
        return None
    found = msgspec.msgpack.decode(plain, type=Pass)
    return found if found.ends_at > now else None


def session_of(request: Request) -> PortalSession:
    """The session of the request's cookie; or `unauthorized`."""
    context, text = context_of(request.scope), request.cookies.get(COOKIE, "")
    found = open_pass(context.keyring, SESSION, text, context.clock())
    if found is None:
        raise ApiError(
            "unauthorized",
            "The link has expired.",
            hint="Open the page again from the application that it belongs to.",
        )
    key = PortalKey(
        id=f"portal:{found.project}:{found.customer}",
        scope="portal",
        project=found.project,
        name=found.customer,
        customer=found.customer,
    )
    state = request.scope["state"]
    state["caller"] = key  # for its log line
    context.admission.enter(state, key)
    return PortalSession(key=key, csrf=csrf_of(context.keyring, text))
