"""The address guard: what slipgate is asked to call must be on the public internet."""

import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Final

import httpx

from gateway.loops.egress.resolver import Resolver

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int, str], Awaitable[Sequence[str]]]
"""Host and port to the addresses behind them, for a project; raises `OSError` or `ValueError`
when there are none."""

# What Python calls global and we do not: IETF protocols, the 6to4 relays, multicast.
_REFUSED_V4: Final = tuple(
    map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4", "240.0.0.0/4"))
)
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All of public IPv6 lies here; mapped, NAT64, link-local, site-local, multicast do not."""
_REFUSED_V6: Final = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # IETF protocols, Teredo among them
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: carries any IPv4 address
            "3fff::/20",  # documentation
        ),
    )
)


class NameNotFound(httpx.ConnectError):
    """The host has no address."""


class AddressRefused(httpx.ConnectError):
    """The host is, or resolves to, an address that slipgate must not call."""


def is_public(address: Address) -> bool:
    """True if the address may be called. Source: the IANA special-purpose registries."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in net for net in _REFUSED_V4)
    return (
        address in _GLOBAL_UNICAST
        and address.is_global
        and not any(address in net for net in _REFUSED_V6)
    )


def may_be_public(host: str) -> bool:
    """False if a host is plainly private; for a name, only the look-up tells more."""
    found = _literal(host)
    return not _is_localhost(host) if found is None else is_public(found)


def is_loopback(host: str) -> bool:
    """True if a host is plainly this machine."""
    found = _literal(host)
    return _is_localhost(host) if found is None else found.is_loopback


def _is_localhost(host: str) -> bool:
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")


def _literal(host: str) -> Address | None:
    """The address that a host is; None for a name."""
    name = host.rstrip(".").lower()
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    try:
        # Resolvers take 127.1, 0x7f000001 and 2130706433 for addresses too.
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except OSError:
        return None


class Guard:
    """Resolves the host of an address, and judges what it finds."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        allow_loopback: bool = False,
        resolve: Resolve | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._allow_loopback = allow_loopback
        self._resolve = resolve or Resolver()

    async def addresses(self, request: httpx.Request) -> tuple[str, ...]:
        """The addresses of its host, the likeliest first; all may be called. The look-up counts
        towards the project that the extension `project` names.

        Raises:
            AddressRefused: one of them is not public.
            NameNotFound: the name has no address.
        """
        url = request.url
        port = url.port or {"https": 443}.get(url.scheme, 80)
        project = request.extensions.get("project", "")
        try:
            found = await self._resolve(url.raw_host.decode("ascii"), port, project)
        except (OSError, ValueError) as exc:
            raise NameNotFound("The host name has no address") from exc
        if not found:
            raise NameNotFound("The host name has no address")
        # One private address among public ones is how a rebinding looks: all must be public.
        if not all(map(self._allowed(url), found)):
            raise AddressRefused("The host's address is not on the public internet")
        return tuple(found)

    def _allowed(self, url: httpx.URL) -> Callable[[str], bool]:
        """The rule for its addresses. A name of others that leads here is a rebinding, too."""
        if self._allow_private:
            return _is_any
        if self._allow_loopback and is_loopback(url.raw_host.decode("ascii")):
            return is_loopback
        return _is_public_text


def is_tls(error: BaseException) -> bool:
    """True if TLS or the peer's certificate caused the error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _is_any(_: str) -> bool:
    return True


@lru_cache(maxsize=1024)
def _is_public_text(text: str) -> bool:
    try:
        return is_public(ipaddress.ip_address(text))
    except ValueError:
        return False
