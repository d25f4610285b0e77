"""Addresses of webhooks: their form, and the form in which they are shown."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import httpx

from gateway.domain.repositories.hosts import MAX_HOST, is_host
from gateway.web.http.fields import wrong_field

_SETTING: Final = "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS=true on the gateway"
_ALLOWED_BY: Final = f"http is allowed by {_SETTING}"
_HOST: Final = (
    "Give a host that can be looked up: an address, or labels of 1 to 63 letters, digits, - and _, "
    f"{MAX_HOST} characters in all"
)
_PRIVATE: Final = f"another one is allowed by {_SETTING}"


def http_url(url: str, path: str, *, allow_http: bool) -> httpx.URL:
    """An address that may be called, or `invalid_request` for the field `path`."""
    schemes = {"https", "http"} if allow_http else {"https"}
    parsed = _parsed(url)
    if parsed is None or parsed.scheme not in schemes:
        message = f"Give an absolute {' or '.join(sorted(schemes))} URL without user and password"
        raise wrong_field(path, message if allow_http else f"{message}; {_ALLOWED_BY}")
    if not is_host(parsed.raw_host.decode()):
        raise wrong_field(path, _HOST)
    return parsed


def outward_url(
    url: str, path: str, *, allow_private: bool, may_be_public: Callable[[str], bool]
) -> httpx.URL:
    """An address for webhooks, or `invalid_request`; names are resolved at each call."""
    parsed = http_url(url, path, allow_http=allow_private)
    if not allow_private and not may_be_public(parsed.raw_host.decode()):
        raise wrong_field(path, f"Give an address on the public internet; {_PRIVATE}")
    return parsed


def origin_of(url: httpx.URL) -> str:
    """Scheme, host and port, in one spelling for each."""
    return f"{url.scheme}://{url.netloc.decode()}"


def masked_url(url: str) -> str:
    """A URL without its query, which may hold a secret."""
    parts = urlsplit(url)
    return parts._replace(query="***" if parts.query else "", fragment="").geturl()


@lru_cache(maxsize=512)  # an application has one callback address: to read it anew takes 60 µs
def _parsed(url: str) -> httpx.URL | None:
    """The URL as httpx reads it; None if it cannot, or if other readers would differ."""
    if not url.isprintable() or any(sign in url for sign in " \\"):
        return None
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
        parsed = httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        return None
    is_whole = bool(parts.hostname) and "@" not in parts.netloc
    return parsed if has_port and is_whole and parsed.raw_host else None
