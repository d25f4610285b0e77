"""The gateway of a client: its address, the key, and the form of requests to it."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import msgspec

from gateway.wire.authorities import Authorities
from slipgate.call import Answer, Call, NoAnswer
from slipgate.errors import NotConfigured
from slipgate.exchange import Retries

URL_VARIABLE: Final = "SLIPGATE_URL"
KEY_VARIABLE: Final = "SLIPGATE_API_KEY"
DEFAULT_URL: Final = "http://127.0.0.1:8700"
TIMEOUT: Final = 15.0
"""Seconds to connect, and to wait for an answer beyond those that a call asks for."""
RETRY_SECONDS: Final = 30.0
OUTAGE_SECONDS: Final = 300.0
"""Time for which a gateway may be away before `wait_for` and `stream` give up."""
_UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Gateway:
    """An address, and the key that goes to it."""

    url: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """A gateway, and the limits of requests to it."""

    gateway: Gateway
    timeout: float
    retries: Retries
    environ: Mapping[str, str] = field(repr=False)

    @property
    def long_retries(self) -> Retries:
        """The retries of what follows a task."""
        seconds = max(self.retries.seconds, OUTAGE_SECONDS)
        return msgspec.structs.replace(self.retries, seconds=seconds)

    def request(self, http: httpx.Client | httpx.AsyncClient, call: Call[Any]) -> httpx.Request:
        """A call as a request."""
        key = self.gateway.key
        return http.build_request(
            call.method,
            self.gateway.url + call.path,
            params=call.query,
            headers={**({"authorization": f"Bearer {key}"} if key else {}), **call.headers},
            content=call.content,
            timeout=httpx.Timeout(self.timeout, read=self.timeout + call.wait),
        )

    def tls(self) -> ssl.SSLContext:
        """The well-known authorities, and those of `SSL_CERT_FILE` and `SSL_CERT_DIR`; reading them
        takes 20 ms, which an address without TLS need not wait for."""
        if self.gateway.url.lower().startswith("http:"):
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return Authorities.of_environ(self.environ).context()


def find_gateway(url: str | None, key: str | None, environ: Mapping[str, str]) -> Gateway:
    """The gateway as given, or as the environment has it. A key of the environment goes to the
    address of the environment alone.

    Raises:
        NotConfigured: no key is known, or the address is none.
    """
    known = (environ.get(URL_VARIABLE, "").strip() or DEFAULT_URL).rstrip("/")
    address = known if url is None else url.strip().rstrip("/")
    if not address.lower().startswith(("http://", "https://")):
        raise NotConfigured(f"{address!r} is no address: it begins with https:// or http://.")
    if key is None and address == known:
        key = environ.get(KEY_VARIABLE, "").strip() or None
    if key is None:
        raise NotConfigured(
            f"There is no API key for {address}. Set {URL_VARIABLE} and {KEY_VARIABLE}, or give "
            '`Slipgate(url, api_key="slip_…")`; "" calls only what is open to everybody.'
        )
    return Gateway(address, key)


def answer_of(response: httpx.Response, content: bytes) -> Answer:
    """The answer, whose content was read."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=response.status_code, headers=headers, content=content)


def no_answer(error: httpx.TransportError) -> NoAnswer:
    """The reason why there is no answer."""
    reason = f"{type(error).__name__}: {error}".removesuffix(": ")
    return NoAnswer(reason=reason, was_sent=not isinstance(error, _UNSENT))
