"""Host names: their canonical form, and the names that resolvers accept."""

import ipaddress
import re
import socket
from ipaddress import AddressValueError, IPv6Address
from types import MappingProxyType
from typing import Final
from urllib.parse import SplitResult

import idna

MAX_HOST: Final = 253
"""Characters of a name (RFC 1035)."""
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
"""Other names of the same hosts; the ssh ones use port 443."""


def canonical_host(host: str) -> str:
    """A host name in lower case and ASCII, without a final full stop or an alias.

    Raises:
        ValueError: it is no name of the DNS.
    """
    if host.startswith("["):
        return _ipv6(host)
    name = host.lower().removesuffix(".")
    if len(name) > MAX_HOST:
        raise ValueError(f"A host name has at most {MAX_HOST} characters")
    if not name.isascii() or name.startswith("xn--") or ".xn--" in name:
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except UnicodeError as exc:
            raise ValueError(f"No internationalised name is written like that: {exc}") from exc
    return _ALIASES.get(name, name)


def canonical_netloc(parts: SplitResult) -> str:
    """Host and port of an https or ssh address; an ssh port does not identify the repository.

    Raises:
        ValueError: the host or the port is invalid.
    """
    bare = parts.netloc.rpartition("@")[2]
    host = canonical_host(without_port(bare))
    is_default = parts.port in {None, {"https": 443, "http": 80}.get(parts.scheme)}
    return host if is_default or parts.scheme == "ssh" else f"{host}:{parts.port}"


def without_port(netloc: str) -> str:
    """The host of `host:port`, its brackets kept."""
    head, colon, port = netloc.rpartition(":")
    return head if colon and (port.isdigit() or not port) else netloc


def _ipv6(host: str) -> str:
    try:
        return f"[{IPv6Address(host[1:-1])}]"
    except AddressValueError as exc:
        raise ValueError(str(exc)) from exc


_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,62})")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def is_host(host: str) -> bool:
    """True if resolvers accept it; ASCII, lower case, an IPv6 address without brackets."""
    if ":" in host:
        return _is_ipv6(host)
    name = host.removesuffix(".")
    labels = name.split(".")
    if len(name) > MAX_HOST or not all(map(_is_label, labels)):
        return False
    # WHATWG URL standard: a name that ends in a number must be an IPv4 address.
    return _NUMBER.fullmatch(labels[-1]) is None or _is_ipv4(name)


def _is_label(label: str) -> bool:
    if _LABEL.fullmatch(label) is None:
        return False
    return not label.startswith("xn--") or _decodes(label)


def _decodes(label: str) -> bool:
    """True by IDNA 2008, or by IDNA 2003, which allows emoji."""
    try:
        idna.decode(label)
    except UnicodeError:
        try:
            label.encode().decode("idna")
        except UnicodeError:
            return False
    return True


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.IPv6Address(host).scope_id is None
    except ValueError:
        return False


def _is_ipv4(name: str) -> bool:
    """True for every form that resolvers accept, such as 127.1 and 0x7f000001."""
    try:
        socket.inet_aton(name)
    except OSError:
        return False
    return True
