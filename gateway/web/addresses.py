"""Addresses that others name and we call: their form, and how they are shown."""

from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from gateway.domain.errors import Refused
from gateway.wire.problem import FieldError

_SETTING: Final = "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS=true on the gateway"
_ALLOWED_BY: Final = f"http is allowed by {_SETTING}"
_PRIVATE: Final = f"another one is allowed by {_SETTING}"


def http_url(url: str, path: str, *, allow_http: bool) -> SplitResult:
    """The parts of an address that may be called; `path` is where it stands in the request.

    Raises:
        Refused: `invalid_request`.
    """
    schemes = {"https", "http"} if allow_http else {"https"}
    parts = _split(url)
    if parts is None or parts.scheme not in schemes or "@" in parts.netloc:
        message = f"Give an absolute {' or '.join(sorted(schemes))} URL without user and password"
        raise wrong_field(path, message if allow_http else f"{message}; {_ALLOWED_BY}")
    return parts


def outward_url(
    url: str, path: str, *, allow_private: bool, may_be_public: Callable[[str], bool]
) -> SplitResult:
    """The parts of an address that webhooks may go to; where its name leads is judged at each call.

    Raises:
        Refused: `invalid_request`.
    """
    parts = http_url(url, path, allow_http=allow_private)
    if not allow_private and not may_be_public(parts.hostname or ""):
        raise wrong_field(path, f"Give an address on the public internet; {_PRIVATE}")
    return parts


def origin_of(parts: SplitResult) -> str:
    """Scheme, host and port."""
    return f"{parts.scheme}://{parts.netloc}".lower()


def masked_url(url: str) -> str:
    """A URL without its query, which may hold a secret."""
    parts = urlsplit(url)
    return parts._replace(query="***" if parts.query else "", fragment="").geturl()


def wrong_field(path: str, message: str) -> Refused:
    """The refusal of one field."""
    error = FieldError(path=path, message=message)
    return Refused("invalid_request", f"{path}: {message}.", errors=(error,))


def _split(url: str) -> SplitResult | None:
    """The parts of a URL that has a host and, if any, a port that exists."""
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None
