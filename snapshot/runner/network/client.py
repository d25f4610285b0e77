"""The way out of the sandbox: every client of the runner is made here, deaf to the environment.

What the environment says of proxies and certificate authorities is read once; what cannot be read
is left out and named, so that no foreign variable keeps the runner from saying a word.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import httpx

from .certificates import DIRECTORIES, FILES, Trust
from .proxies import NO_PROXY, PROXIES, Proxies

NAMES: Final = frozenset({*PROXIES, NO_PROXY, *FILES, *DIRECTORIES})
NOBODY: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts no authority, where none is asked: to read the well-known ones takes its time."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """Proxies and authorities of one sandbox."""

    proxies: Proxies
    trust: Trust

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Network":
        """Read every variable; never raises."""
        return cls(proxies=Proxies.from_environ(environ), trust=Trust.from_environ(environ))

    @property
    def problems(self) -> tuple[str, ...]:
        """What is left out, one sentence a variable."""
        return (*self.proxies.problems, *self.trust.problems)

    @cached_property
    def context(self) -> ssl.SSLContext:
        """What TLS is spoken with."""
        return self.trust.context()

    def usable(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environ with what could be read in the place of what was said."""
        others = {
            name: value
            for name, value in environ.items()
            if name not in NAMES and name.lower() not in NAMES
        }
        return others | self.proxies.variables | self.trust.variables

    def client(
        self, url: str, *, timeout: httpx.Timeout, headers: Mapping[str, str]
    ) -> httpx.Client:
        """A client for the host of this URL alone, by its scheme; it follows no redirect."""
        proxy = self.proxies.of_url(url)
        is_tls = url.lower().startswith("https:")
        return httpx.Client(
            timeout=timeout,
            headers=headers,
            follow_redirects=False,
            trust_env=False,
            verify=self.context if is_tls else NOBODY,
            proxy=self._with_trust(proxy) if proxy else None,
        )

    def _with_trust(self, proxy: str) -> httpx.Proxy:
        """TLS to the proxy itself, where it speaks it: with any other, httpx takes no context."""
        is_tls = proxy.startswith("https:")
        return httpx.Proxy(proxy, ssl_context=self.context if is_tls else None)


PLAIN: Final = Network.from_environ({})
"""No proxy, and the well-known authorities alone."""
