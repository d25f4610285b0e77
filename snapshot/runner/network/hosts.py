"""Host names in one spelling: the token's host is compared by it, never as text."""

from ipaddress import AddressValueError, IPv6Address, ip_address
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

import idna

LONGEST_HOST: Final = 253
"""Of a name in the DNS."""
DEFAULT_PORTS: Final = MappingProxyType({"https": 443, "http": 80})
_ALIASES: Final = MappingProxyType(
    {
        "www.github.com": "github.com",
        "ssh.github.com": "github.com",
        "www.gitlab.com": "gitlab.com",
        "altssh.gitlab.com": "gitlab.com",
        "www.bitbucket.org": "bitbucket.org",
        "altssh.bitbucket.org": "bitbucket.org",
    }
)
"""Other names of hosts with the same repositories; those for ssh serve port 443."""
_API: Final = "api."


def canonical_host(host: str) -> str:
    """The host's main name in lower case and ASCII; raises ValueError if it is none of the DNS."""
    if host.startswith("["):
        try:
            return f"[{IPv6Address(host[1:-1])}]"
        except AddressValueError as exc:
            raise ValueError(str(exc)) from exc
    name = host.lower().removesuffix(".")
    if len(name) > LONGEST_HOST:
        raise ValueError(f"a host name has at most {LONGEST_HOST} characters")
    if not name.isascii() or name.startswith("xn--") or ".xn--" in name:
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except UnicodeError as exc:
            raise ValueError(f"no internationalised name is written like that: {exc}") from exc
    return _ALIASES.get(name, name)


def netloc(url: str) -> str:
    """Host and port of a URL; of ssh only the host, whose port says nothing of the repository."""
    parts = urlsplit(url)
    host = canonical_host(without_port(parts.netloc.rpartition("@")[2]))
    is_default = parts.port in {None, DEFAULT_PORTS.get(parts.scheme)}
    return host if is_default or parts.scheme == "ssh" else f"{host}:{parts.port}"


def is_same_host(one: str, other: str) -> bool:
    """True if two URLs have one host, scheme and port."""
    try:
        return urlsplit(one).scheme == urlsplit(other).scheme and netloc(one) == netloc(other)
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def is_private(url: str) -> bool:
    """True if nobody can read along: by https, or on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def without_port(netloc: str) -> str:
    """The host of `host:port`, its brackets kept."""
    head, colon, port = netloc.rpartition(":")
    return head if colon and (port.isdigit() or not port) else netloc


def git_host(api_url: str) -> str:
    """The host of the repositories behind an API address: the token is for it alone.

    GitHub and its tenants (`api.github.com`, `api.acme.ghe.com`) have a host for the API, an
    Enterprise Server (`https://host/api/v3`) has not.
    """
    host = netloc(api_url)
    is_apart = host == "api.github.com" or (host.startswith(_API) and host.endswith(".ghe.com"))
    return host.removeprefix(_API) if is_apart else host
