"""One attempt to hand a signed webhook to its receiver."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Final

import httpx

from gateway.domain.deliveries.reasons import refusal
from gateway.loops.deliveries.schedule import read_retry_after
from gateway.loops.egress.address_guard import AddressRefused, NameNotFound, is_tls
from gateway.metrics.traces import Traces
from gateway.wire.signing import sign
from gateway.wire.urls import read_url

TIME_LIMIT: Final = 15.0
"""Seconds for the whole attempt, the name look-up included."""
CONNECT_LIMIT: Final = 5.0
"""Seconds for each address of a host, or one that swallows everything would leave no time for the
next; and for the handshake. All else is bounded as a whole."""
_TIMEOUTS: Final = httpx.Timeout(None, connect=CONNECT_LIMIT).as_dict()
BODY_LIMIT: Final = 2.0
"""Seconds for its body once the status has come: it is kept for people, and decides nothing."""
KEPT_ANSWER: Final = 4_096
"""Bytes of the receiver's answer that are kept."""
BROKEN: Final = "broken"
"""The reason of an attempt that ended in an error nobody expected."""
_OF_GATEWAY: Final = frozenset({"proxy", "sealed"})
"""Our proxy, or our own keys."""
_OF_DELIVERY: Final = frozenset(
    {BROKEN, "unreadable", "no_event", "no_address", "no_secret", "url"},
)
"""The stored delivery or its address is at fault: nothing was sent."""
_UNREACHED: Final = ("502", "503", "504")
"""The answers of a proxy to a CONNECT if it cannot reach the receiver."""
USER_AGENT: Final = "slipgate/0.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookMessage:
    """A signed webhook; the query of its address may hold a secret, so it is never shown."""

    webhook_id: str
    url: str = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)
    """Each makes a signature: a receiver may know the old one or the new one."""
    body: bytes = field(repr=False)
    project: str = ""
    """Name look-ups count towards the share of this project."""
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers that people gave the endpoint; they cannot replace ours."""
    key_id: str | None = None
    """The newest of the secrets."""
    is_kept: bool = False
    """The body is stored: it was sent before."""
    is_late: bool = False
    """It was parked, and later events of its task have been sent before it."""
    traceparent: str | None = None
    """The trace its task was created in (W3C Trace Context)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The end of an attempt; `status` None: there was no answer."""

    status: int | None
    reason: str | None
    """A stable word, `None` for success: see `_reason` and `refusal`."""
    duration_ms: int
    retry_after: int | None = None
    """Milliseconds the receiver asked us to wait."""
    answer: str | None = None
    detail: str | None = None
    """For the log."""
    error: Exception | None = None
    """For the log: what nobody expected."""

    @property
    def is_counted(self) -> bool:
        """True if a failure counts on the schedule of its delivery; ours do not."""
        return self.reason not in _OF_GATEWAY

    @property
    def is_charged(self) -> bool:
        """True if a failure is the receiver's fault."""
        return is_charged(self.reason)

    @property
    def is_success(self) -> bool:
        """Only 2xx is: a redirect is an answer from somebody else."""
        return self.status is not None and 200 <= self.status < 300


def is_charged(reason: str | None) -> bool:
    """True if the receiver is at fault."""
    return reason not in _OF_GATEWAY and reason not in _OF_DELIVERY


def unsent(reason: str, *, detail: str | None = None, error: Exception | None = None) -> Outcome:
    """An attempt that failed before anything could be sent."""
    return Outcome(status=None, reason=reason, duration_ms=0, detail=detail, error=error)


Send = Callable[[WebhookMessage], Awaitable[Outcome]]
"""Sends a message once; never raises."""


def sender(transport: httpx.AsyncBaseTransport, clock: Callable[[], int]) -> Send:
    """Sending by one transport; the clock gives Unix milliseconds."""
    return lambda message: post(transport, message, clock=clock)


def traced(send: Send, traces: Traces, clock: Callable[[], int]) -> Send:
    """Sending that records each attempt as a span; the same as before if spans are not exported."""
    if not traces.is_on:
        return send

    async def send_traced(message: WebhookMessage) -> Outcome:
        began = clock()
        outcome = await send(message)
        found: dict[str, str | int] = {"slipgate.event.id": message.webhook_id}
        found |= {} if outcome.status is None else {"http.response.status_code": outcome.status}
        found |= {} if outcome.reason is None else {"error.type": outcome.reason}
        traces.record_delivery(message.traceparent, began, found)
        return outcome

    return send_traced


async def post(
    transport: httpx.AsyncBaseTransport, message: WebhookMessage, *, clock: Callable[[], int]
) -> Outcome:
    """Send it once; every failure is an outcome, none is raised."""
    began = time.monotonic()
    now = clock()

    def ended(reason: str) -> Outcome:
        return Outcome(status=None, reason=reason, duration_ms=_since(began))

    try:
        async with asyncio.timeout(TIME_LIMIT):
            return await _exchange(transport, message, now, began)
    except TimeoutError:
        return ended("timeout")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # A word, for the text of the error may repeat the address and the secret in its query.
        return ended(_reason(error))
    except Exception as error:  # noqa: BLE001 - the top of an attempt: its caller logs it
        return replace(ended(BROKEN), error=error)


def headers(message: WebhookMessage, timestamp: int) -> Mapping[str, str]:
    """The Standard Webhooks headers of this attempt; timestamp in Unix seconds."""
    signatures = (
        sign(secret, message.webhook_id, timestamp, message.body) for secret in message.secrets
    )
    given = {name.lower(): value for name, value in message.extra.items()}
    late = {"slipgate-late": "true"} if message.is_late else {}
    trace = {"traceparent": message.traceparent} if message.traceparent else {}
    return {
        **given,
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": message.webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
        **late,
        **trace,
    }


async def _exchange(
    transport: httpx.AsyncBaseTransport, message: WebhookMessage, now: int, began: float
) -> Outcome:
    # Without a client between: it would follow, authenticate, and keep the cookies of receivers.
    url, host = _url(message.url)
    # A stream and the headers that go with it: a content would be encoded, described and read.
    # Without a host of ours httpx decodes the one in the URL, and raises where it cannot.
    request = httpx.Request(
        "POST",
        url,
        headers={
            "host": host,
            "content-length": str(len(message.body)),
            **headers(message, now // 1000),
        },
        stream=httpx.ByteStream(message.body),
        extensions={"timeout": _TIMEOUTS, "project": message.project},
    )
    response = await transport.handle_async_request(request)
    stream = _stream(response)
    try:
        answer = await _beginning(stream)
    finally:
        await stream.aclose()
    return Outcome(
        status=response.status_code,
        reason=refusal(response.status_code, response.headers, answer),
        duration_ms=_since(began),
        retry_after=_retry_after(response, now),
        answer=answer,
    )


def _url(text: str) -> tuple[httpx.URL, str]:
    """The address, and its host with the port."""
    try:
        url = read_url(text)
        return url, url.netloc.decode("ascii")
    except ValueError as exc:
        raise httpx.InvalidURL("It is no URL") from exc


async def _beginning(stream: httpx.AsyncByteStream) -> str:
    """The first of it. The answer is the status: a body that breaks off, or hangs, changes none."""
    kept = b""
    # One that is there already needs no timer, which takes 11 µs.
    is_there = isinstance(stream, httpx.ByteStream)
    with suppress(httpx.HTTPError, TimeoutError):
        async with nullcontext() if is_there else asyncio.timeout(BODY_LIMIT):
            async for chunk in stream:
                kept += chunk
                if len(kept) >= KEPT_ANSWER:
                    break
    return kept[:KEPT_ANSWER].decode("utf-8", "replace")


def _stream(response: httpx.Response) -> httpx.AsyncByteStream:
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError("An asynchronous transport gives an asynchronous body")
    return response.stream


def _reason(error: httpx.HTTPError | httpx.InvalidURL) -> str:
    # In this order: the first four are connection errors too.
    match error:
        case AddressRefused():
            return "blocked"
        case NameNotFound():
            return "dns"
        case httpx.ProxyError():
            # Refused by the proxy, unless it says that it could not reach the receiver.
            return "connect" if str(error)[:3] in _UNREACHED else "proxy"
        case httpx.NetworkError() if is_tls(error):
            return "tls"
        case httpx.TimeoutException():
            return "timeout"
        case httpx.ConnectError():
            return "connect"
        case httpx.NetworkError():
            return "reset"
        case httpx.UnsupportedProtocol() | httpx.InvalidURL():
            return "url"
        case _:
            return "protocol"


def _retry_after(response: httpx.Response, now: int) -> int | None:
    if response.status_code not in (429, 503):
        return None
    header = response.headers.get("retry-after")
    return None if header is None else read_retry_after(header, now)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
