"""HTTP clients that ignore the environment: no proxy variable leads a request or a key elsewhere.

Only certificate authorities and the one egress proxy are configurable.
"""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx

from gateway.wire.authorities import WELL_KNOWN, Authorities, with_trust
from gateway.wire.environment import is_http_url, is_loopback

EGRESS_PROXY: Final = "SLIPGATE_EGRESS_PROXY"
SECONDS: Final = 5.0
"""Default timeout of httpx; most calls bring one of their own."""
ResponseHook = Callable[[httpx.Response], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Egress:
    """Certificate authorities and proxy of all outgoing connections."""

    authorities: Authorities = WELL_KNOWN
    proxy: str | None = field(default=None, repr=False)
    """An http or https address; it may hold a password."""

    @classmethod
    def of_environ(cls, environ: Mapping[str, str]) -> "Egress":
        """Leaves out an invalid proxy, which the settings report."""
        proxy = environ.get(EGRESS_PROXY, "").strip()
        return cls(
            authorities=Authorities.of_environ(environ), proxy=proxy if _is_proxy(proxy) else None
        )

    @property
    def variables(self) -> dict[str, str]:
        """The same for a child process."""
        proxied = {"HTTPS_PROXY": self.proxy, "HTTP_PROXY": self.proxy} if self.proxy else {}
        return {**self.authorities.variables, **proxied}

    def client(
        self,
        *,
        base_url: str = "",
        headers: Mapping[str, str] | None = None,
        timeout: float = SECONDS,
        on_response: ResponseHook | None = None,
        context: ssl.SSLContext | None = None,
    ) -> httpx.AsyncClient:
        """A client that follows no redirect; its own `context` replaces the authorities."""
        context = context or self.authorities.context()
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
        """A client for the gateway; one on this machine is reached without a proxy. Reading the
        authorities takes 40 ms, which an address without TLS need not wait for."""
        egress = Egress(authorities=self.authorities) if is_loopback(url) else self
        has_tls = egress.proxy is not None or not url.lower().startswith("http:")
        context = None if has_tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return egress.client(base_url=url, headers=headers, timeout=timeout, context=context)


DIRECT: Final = Egress()


def _is_proxy(url: str) -> bool:
    """True if this is the address of an HTTP proxy that httpx takes."""
    try:
        httpx.Proxy(url)
    except (ValueError, httpx.InvalidURL):
        return False
    return is_http_url(url)
