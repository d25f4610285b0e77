"""GitHub's REST API over HTTP: the client, and the parts of its answers that all callers read."""

from typing import Final, TypeVar

import httpx
import msgspec

from gateway.wire.truncation import head_and_tail
from launcher.egress import DIRECT, Egress

_MESSAGE_LENGTH: Final = 300
Body = TypeVar("Body", bound=msgspec.Struct)


class _ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    message: str = ""


def open_github(url: str, token: str = "", *, egress: Egress = DIRECT) -> httpx.AsyncClient:
    """A client of the API; without a token, each request brings its own credential."""
    headers = {
        "accept": "application/vnd.github+json",
        "content-type": "application/json",
        "user-agent": "slipgate",
        "x-github-api-version": "2022-11-28",
    }
    if token:
        headers["authorization"] = f"Bearer {token}"
    return egress.client(base_url=url, headers=headers)


def classic_scopes(response: httpx.Response) -> set[str]:
    """Scopes of a classic token; a fine-grained one lists none."""
    scopes = response.headers.get("x-oauth-scopes", "").split(",")
    return {scope.strip() for scope in scopes if scope}


def is_rate_limited(response: httpx.Response) -> bool:
    """True for a rate limit, which GitHub also sends as 403."""
    status, headers = response.status_code, response.headers
    is_limit = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
    return status == httpx.codes.TOO_MANY_REQUESTS or (status == httpx.codes.FORBIDDEN and is_limit)


def message_of(response: httpx.Response) -> str:
    """GitHub's own message on one line, without a full stop; empty if there is none."""
    message = decoded(response, _ErrorBody).message
    return head_and_tail(" ".join(message.split()), _MESSAGE_LENGTH).rstrip(".")


def decoded(response: httpx.Response, kind: type[Body]) -> Body:
    """The body; its defaults if it is none."""
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return kind()
