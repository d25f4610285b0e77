"""The launcher's way out: every HTTP client of it is made here, deaf to the environment.

Certificate authorities and the one egress proxy are read at start; whatever other variables say of
proxies, no request and no key goes there.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx

from gateway.wire.authorities import WELL_KNOWN, Authorities, with_trust
from launcher.sandbox_env import is_loopback

EGRESS_PROXY: Final = "SLIPGATE_EGRESS_PROXY"
SECONDS: Final = 5.0
"""What httpx waits by itself; most calls bring a limit of their own."""
ResponseHook = Callable[[httpx.Response], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Egress:
    """What its connections are made with."""

    authorities: Authorities = WELL_KNOWN
    proxy: str | None = field(default=None, repr=False)
    """http or https; it may hold a password."""

    @classmethod
    def of_environ(cls, environ: Mapping[str, str]) -> "Egress":
        """What can be read; a proxy that is none is refused by the configuration."""
        proxy = environ.get(EGRESS_PROXY, "").strip()
        return cls(
            authorities=Authorities.of_environ(environ),
            proxy=proxy if is_proxy(proxy) else None,
        )

    @property
    def variables(self) -> dict[str, str]:
        """The same for a program of somebody else."""
        proxied = {"HTTPS_PROXY": self.proxy, "HTTP_PROXY": self.proxy} if self.proxy else {}
        return {**self.authorities.variables, **proxied}

    def client(
        self,
        *,
        base_url: str = "",
        headers: Mapping[str, str] | None = None,
        timeout: float = SECONDS,
        on_response: ResponseHook | None = None,
    ) -> httpx.AsyncClient:
        """A client for services of others; it follows no redirect."""
        context = self.authorities.context()
        return httpx.AsyncClient(
            base_url=base_url,
            headers=headers,
            timeout=timeout,
            trust_env=False,
            verify=context,
            proxy=with_trust(self.proxy, context) if self.proxy else None,
            event_hooks={"response": [on_response] if on_response else []},
        )

    def to_gateway(
        self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = SECONDS
    ) -> httpx.AsyncClient:
        """A client for the gateway: on this machine it is behind no proxy."""
        is_here = is_loopback(url)
        way = Egress(authorities=self.authorities) if is_here else self
        return way.client(base_url=url, headers=headers, timeout=timeout)


DIRECT: Final = Egress()


def is_proxy(url: str) -> bool:
    """Whether this is the address of an HTTP proxy."""
    try:
        parts = urlsplit(url)
        _ = parts.port
        httpx.Proxy(url)
    except (ValueError, httpx.InvalidURL):
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
