"""The host of a repository in its one spelling: two addresses are compared by it, never as text."""

import ipaddress
import re
import socket
from ipaddress import AddressValueError, IPv6Address
from types import MappingProxyType
from typing import Final
from urllib.parse import SplitResult

import idna

LONGEST_HOST: Final = 253
"""Of a name in the DNS."""
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
"""Other names under which the same repositories are served; the ssh ones through port 443."""


def canonical_host(host: str) -> str:
    """A host name in lower case and ASCII, without the root's full stop, by its main name.

    Raises:
        ValueError: no name of the DNS is written like that.
    """
    if host.startswith("["):
        return _ipv6(host)
    name = host.lower().removesuffix(".")
    if len(name) > LONGEST_HOST:
        raise ValueError(f"A host name has at most {LONGEST_HOST} characters")
    if not name.isascii() or name.startswith("xn--") or ".xn--" in name:
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except UnicodeError as exc:
            raise ValueError(f"No internationalised name is written like that: {exc}") from exc
    return _ALIASES.get(name, name)


def canonical_netloc(parts: SplitResult) -> str:
    """Host and port of a web address or of one of ssh; the ssh port says nothing of the repository.

    Raises:
        ValueError: the host or the port cannot be.
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


MOST: Final = 253
"""Characters of a name (RFC 1035)."""
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,62})")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def is_host(host: str) -> bool:
    """Whether resolvers take it; in ASCII and lower case, an IPv6 address without brackets."""
    if ":" in host:
        return _is_ipv6(host)
    name = host.removesuffix(".")
    labels = name.split(".")
    if len(name) > MOST or not all(map(_is_label, labels)):
        return False
    # The WHATWG's rule: what ends in a number is an address or nothing.
    return _NUMBER.fullmatch(labels[-1]) is None or _is_ipv4(name)


def _is_label(label: str) -> bool:
    if _LABEL.fullmatch(label) is None:
        return False
    return not label.startswith("xn--") or _decodes(label)


def _decodes(label: str) -> bool:
    """By IDNA 2008, or by that of 2003, which has names with emoji."""
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
    """Resolvers take 127.1 and 0x7f000001 too."""
    try:
        socket.inet_aton(name)
    except OSError:
        return False
    return True
