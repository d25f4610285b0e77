"""The HTTP clients of the runner: none reads the environment by itself.

Its proxies and certificate authorities are read once; what cannot be read is left out and named, so
that no foreign variable keeps the runner from reporting.
"""

import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Final

import httpx

from .certificates import DIRECTORIES, FILES, Certificates
from .proxies import NO_PROXY, PROXIES, Proxies

NAMES: Final = frozenset({*PROXIES, NO_PROXY, *FILES, *DIRECTORIES})
NO_AUTHORITY: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For plain http: reading the well-known authorities takes time."""


class Network:
    """Proxies and authorities of one sandbox."""

    def __init__(self, *, proxies: Proxies, certificates: Certificates) -> None:
        self.proxies = proxies
        self.certificates = certificates
        self.problems = (*proxies.problems, *certificates.problems)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Network":
        """Read every variable; never raises."""
        proxies = Proxies.from_environ(environ)
        return cls(proxies=proxies, certificates=Certificates.from_environ(environ))

    @cached_property
    def context(self) -> ssl.SSLContext:
        return self.certificates.context()

    def context_for(self, url: str) -> ssl.SSLContext:
        """For a client of this URL that follows no redirect."""
        return self.context if url.lower().startswith("https:") else NO_AUTHORITY

    def usable(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environ, with those of its values that could be read."""
        others = {
            name: value
            for name, value in environ.items()
            if name not in NAMES and name.lower() not in NAMES
        }
        return others | self.proxies.variables | self.certificates.variables

    def client(
        self, url: str, *, timeout: httpx.Timeout, headers: Mapping[str, str]
    ) -> httpx.Client:
        """A client for the host of this URL alone; it follows no redirect."""
        return httpx.Client(
            timeout=timeout,
            headers=headers,
            follow_redirects=False,
            trust_env=False,
            verify=self.context_for(url),
            proxy=self._proxy(url),
        )

    def _proxy(self, url: str) -> httpx.Proxy | None:
        proxy = self.proxies.of_url(url)
        if proxy is None:
            return None
        # With any other proxy than one behind TLS, httpx takes no context.
        return httpx.Proxy(proxy, ssl_context=self.context if proxy[:6] == "https:" else None)


PLAIN: Final = Network.from_environ({})
"""No proxy, and the well-known authorities alone."""


def http_date(header: str) -> float | None:
    """Unix seconds of a date in a header."""
    try:
        return parsedate_to_datetime(header).timestamp()
    except (ValueError, OverflowError):
        return None
