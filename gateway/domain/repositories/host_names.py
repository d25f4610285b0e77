"""Hosts of addresses: names that can be looked up, and IP addresses."""

import ipaddress
import re
import socket
from typing import Final

import idna

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
