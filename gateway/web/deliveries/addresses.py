"""Addresses of webhooks: their form, and the form in which they are shown."""

from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import httpx

from gateway.domain.repositories.hosts import MAX_HOST, is_host
from gateway.web.context import Context
from gateway.web.http.fields import wrong_field
from gateway.wire.urls import read_url

_SETTING: Final = (
    "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS=true on the gateway (=loopback: on this machine alone)"
)
_RELATIVE: Final = (
    "Give an absolute URL, https://app.example/api/hook for one: this one begins with no https://, "
    "perhaps because a variable of the application is not set"
)
_ALLOWED_BY: Final = f"http is allowed by {_SETTING}"
_HOST: Final = (
    "Give a host that can be looked up: an address, or labels of 1 to 63 letters, digits, - and _, "
    f"{MAX_HOST} characters in all"
)
_PRIVATE: Final = f"another one is allowed by {_SETTING}"


def outward_url(context: Context, url: str, path: str) -> httpx.URL:
    """An address for webhooks; its name is resolved at each call. `path` is its field.

    Raises:
        ApiError: `invalid_request`.
    """
    if "://" not in url:
        raise wrong_field(path, _RELATIVE)
    parsed = _parsed(url)
    allow_private = context.allow_private_endpoints or (
        context.allow_loopback_endpoints
        and parsed is not None
        and context.is_loopback(parsed.raw_host.decode())
    )
    schemes = {"https", "http"} if allow_private else {"https"}
    if parsed is None or parsed.scheme not in schemes:
        message = f"Give an absolute {' or '.join(sorted(schemes))} URL without user and password"
        raise wrong_field(path, message if allow_private else f"{message}; {_ALLOWED_BY}")
    host = parsed.raw_host.decode()
    if not is_host(host):
        raise wrong_field(path, _HOST)
    if not allow_private and not context.may_be_public(host):
        raise wrong_field(path, f"Give an address on the public internet; {_PRIVATE}")
    return parsed


def origin_of(url: httpx.URL) -> str:
    """Scheme, host and port, in one spelling for each."""
    return f"{url.scheme}://{url.netloc.decode()}"


def masked_url(url: str) -> str:
    """A URL without its query, which may hold a secret."""
    parts = urlsplit(url)
    return parts._replace(query="***" if parts.query else "", fragment="").geturl()


@lru_cache(maxsize=512)  # an application has few callback addresses
def _parsed(url: str) -> httpx.URL | None:
    """The URL as httpx reads it; None if it cannot, or if other readers would differ."""
    if not url.isprintable() or any(sign in url for sign in " \\"):
        return None
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
        parsed = read_url(url)
    except (ValueError, httpx.InvalidURL):
        return None
    is_whole = bool(parts.hostname) and "@" not in parts.netloc
    return parsed if has_port and is_whole and parsed.raw_host else None
