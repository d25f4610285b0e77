"""The command line's way out: every HTTP client of it is made here, deaf to the environment.

No proxy sees a key, no `.netrc` replaces one; of the environment only `SSL_CERT_FILE` and
`SSL_CERT_DIR` are heard.
"""

import os
import ssl
from collections.abc import Mapping

import httpx

from gateway.cli.console.terminal import trouble
from gateway.wire.authorities import Authorities

Timeout = httpx.Timeout | float


def open_http(
    url: str, *, timeout: Timeout, headers: Mapping[str, str] | None = None
) -> httpx.Client:
    """A client for one address; it follows no redirect."""
    return httpx.Client(
        base_url=url, headers=headers, timeout=timeout, trust_env=False, verify=_context(url)
    )


def open_async_http(
    url: str, *, timeout: Timeout, headers: Mapping[str, str] | None = None
) -> httpx.AsyncClient:
    """The same for coroutines."""
    return httpx.AsyncClient(
        base_url=url, headers=headers, timeout=timeout, trust_env=False, verify=_context(url)
    )


def _context(url: str) -> ssl.SSLContext:
    """Reading the authorities takes 20 ms, which an address without TLS need not wait for."""
    if url.lower().startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authorities = Authorities.of_environ(os.environ)
    for problem in authorities.problems:
        trouble.print(problem, style="dim", markup=False)
    return authorities.context()
