"""Scheme, host and port of a receiver, and where its host is just now."""

from typing import Final

import httpx
import msgspec

Key = tuple[str, str, int]
"""Scheme, host and port: what connections are kept under."""
PORTS: Final = {"http": 80, "https": 443}


class JudgedOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver whose addresses the guard has judged."""

    key: Key
    addresses: tuple[str, ...]
    """The likeliest first."""

    @property
    def host(self) -> str:
        """As it stands in the URL: the name that the certificate must have."""
        return self.key[1]

    @property
    def port(self) -> int:
        """The given one, or that of the scheme."""
        return self.key[2]

    @property
    def is_tls(self) -> bool:
        """True for https."""
        return self.key[0] == "https"


def key_of(url: httpx.URL) -> Key:
    """The key under which connections for this address are kept.

    Raises:
        httpx.UnsupportedProtocol: it is neither http nor https, or has no host.
    """
    if url.scheme not in PORTS or not url.raw_host:
        raise httpx.UnsupportedProtocol("Only http and https are spoken, to a host")
    return (url.scheme, url.raw_host.decode("ascii"), url.port or PORTS[url.scheme])
