"""Sessions of the dashboard: a sealed cookie that ends with its API key, and links that log in.

The cookie and the token of a link hold the SHA-256 of a key, never the key, sealed with a master
key. Every request looks the key up, so that a revoked one ends its sessions.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final, Literal

import msgspec
from starlette.requests import Request

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.keyring import Keyring, UnknownKey, Unreadable
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.operations.api_key import ApiKey
from gateway.domain.tasks.task import Frozen
from gateway.web.context import context_of
from gateway.web.http.access import READ_SCOPES, Access

COOKIE: Final = "slipgate_session"
LIFETIME: Final = 12 * 3_600_000
"""Of a session (milliseconds)."""
LINK_LIFETIME: Final = 600_000
"""Of a link that logs in (milliseconds)."""

TicketKind = Literal["session", "login"]


class Ticket(Frozen, frozen=True, array_like=True):
    """The sealed content of a cookie or of a link."""

    digest: bytes
    """SHA-256 of an API key."""
    ends_at: int
    """Milliseconds."""


class Session(Frozen, frozen=True, kw_only=True):
    """Somebody who is logged in."""

    key: ApiKey
    csrf: str
    """The token of every form of this session."""
    ends_at: int

    @property
    def may_act(self) -> bool:
        """False for a key that may only read."""
        return self.key.scope != "read"

    @property
    def is_ops(self) -> bool:
        """True for a key that may change the installation."""
        return self.key.scope == "ops"


def seal_ticket(keyring: Keyring, kind: TicketKind, ticket: Ticket, nonce: bytes) -> str:
    """A ticket as text; `nonce` are 12 random bytes."""
    return seal_text(keyring, _context(kind), msgspec.msgpack.encode(ticket), nonce)


def open_ticket(keyring: Keyring, kind: TicketKind, text: str, now: int) -> Ticket | None:
    """The ticket, if it is genuine and has not expired."""
    plain = open_text(keyring, _context(kind), text)
    if plain is None:
        return None
    ticket = msgspec.msgpack.decode(plain, type=Ticket)
    return ticket if ticket.ends_at > now else None


def seal_text(keyring: Keyring, purpose: str, plain: bytes, nonce: bytes) -> str:
    """A sealed text for a cookie or a link; `nonce` are 12 random bytes."""
    sealed = keyring.seal(plain, context=purpose, nonce=nonce)
    return f"{sealed.key_id}.{base64.urlsafe_b64encode(sealed.box).decode().rstrip('=')}"


def open_text(keyring: Keyring, purpose: str, text: str) -> bytes | None:
    """The content of a sealed text, if it is genuine."""
    key_id, _, box = text.rpartition(".")
    try:
        raw = base64.b64decode(box + "=" * (-len(box) % 4), altchars=b"-_", validate=True)
        return keyring.open(Sealed(key_id=key_id, box=raw), context=purpose)
    except (UnknownKey, Unreadable, binascii.Error, ValueError):
        return None


async def session_of(request: Request) -> Session:
    """The session of the request's cookie; or `unauthorized`."""
    context, text = context_of(request.scope), request.cookies.get(COOKIE, "")
    ticket = open_ticket(context.keyring, "session", text, context.clock())
    if ticket is None:
        raise _logged_out()
    key = await context.keys.of_digest(ticket.digest)
    check_scope(key)
    state = request.scope["state"]
    state["caller"] = key  # for its log line
    context.admission.enter(state, key)
    return Session(key=key, csrf=csrf_of(context.keyring, text), ends_at=ticket.ends_at)


async def _admit(request: Request) -> ApiKey:
    return (await session_of(request)).key


SESSION: Final = Access(
    security=(),
    proof="Needs a session of the dashboard.",
    errors=("unauthorized", "key_expired"),
    admit=_admit,
)
"""The access of the pages, which no OpenAPI document names."""


def check_scope(key: ApiKey) -> None:
    """Refuses a key that reads no tasks: `forbidden`."""
    if key.scope not in READ_SCOPES:
        raise ApiError(
            "forbidden",
            f"A key of scope '{key.scope}' cannot log in.",
            hint="Use a key of scope ops, tasks or read.",
        )


def is_genuine(csrf: str, token: str) -> bool:
    """True if a form was made for the session of this token; compared in constant time."""
    return hmac.compare_digest(csrf.encode(), token.encode())


def csrf_of(keyring: Keyring, cookie: str) -> str:
    """The token of the forms of the session that has this cookie."""
    key_id = cookie.rpartition(".")[0]
    return hmac.new(keyring.purpose(key_id, "csrf"), cookie.encode(), hashlib.sha256).hexdigest()


def _context(kind: TicketKind) -> str:
    return f"dashboard|{kind}|"


def _logged_out() -> ApiError:
    return ApiError("unauthorized", "There is no session.", hint="Log in with an API key.")
