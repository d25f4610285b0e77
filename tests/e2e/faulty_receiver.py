"""A receiver over TLS that does to webhooks whatever a receiver can do, and writes it all down."""

import asyncio
import random
import socket
import ssl
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from gateway.wire.signing import MalformedHeaders, SignedHeaders

SLOW_SECONDS = 0.3
TLS_SHARE = 0.5
"""Of the handshakes that go wrong at all, as a share of that of the requests: a certificate that
nobody trusts."""
POISON_EVERY = 10
"""One fault in so many is for good: the event is never taken."""

Ending = Literal["taken", "refused", "unanswered"]


class _Body(msgspec.Struct, frozen=True):
    data: "_Data"


class _Data(msgspec.Struct, frozen=True):
    event: "_Event"


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    task_id: str
    task_seq: int


@dataclass(kw_only=True)
class Arrival:
    """One request with a genuine webhook; seconds of a monotonic clock."""

    id: str
    task: str
    task_seq: int
    is_late: bool
    attempt_at: float
    """The start of its attempt, in whole seconds: a request may be sent again within one."""
    at: float
    ending: Ending = "unanswered"


Reply = Callable[["FaultyReceiver", Arrival, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class FaultyReceiver:
    """Seeded; the machine's own timing is not."""

    good: ssl.SSLContext
    bad: ssl.SSLContext
    """Its certificate is nobody's."""
    seed: int
    share: float
    """Of the requests, those that are not simply taken."""
    secret: bytes = b""
    """The key of the signatures, known once the endpoint is made."""
    arrivals: list[Arrival] = field(default_factory=list)
    forged: int = 0
    did: Counter[str] = field(default_factory=Counter)
    """The number of replies by name."""
    is_calm: bool = False
    """Only what was never to be taken is still refused."""
    takes_all: bool = False
    _never: set[str] = field(default_factory=set)
    _connections: list[asyncio.Task[None]] = field(default_factory=list)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Its address."""
        self.good.sni_callback = self._greet
        server = await asyncio.start_server(self._take, "127.0.0.1", 0, ssl=self.good)
        async with server:
            try:
                yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
            finally:
                for connection in self._connections:
                    connection.cancel()
                await asyncio.gather(*self._connections, return_exceptions=True)

    def calm_down(self) -> None:
        """Nothing goes wrong any more, and whoever was left hanging is let go."""
        self.is_calm = True
        self._released.set()

    def _greet(self, asked: ssl.SSLObject, _name: str | None, _first: ssl.SSLContext) -> None:
        if not self.is_calm and self._happens(self.share * TLS_SHARE):
            self.did["tls"] += 1
            asked.context = self.bad

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.append(asyncio.ensure_future(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
                pairs = (line.split(": ", 1) for line in head if line)
                headers = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(headers["content-length"]))
                await self._answer(headers, body, writer)
        writer.close()

    async def _answer(
        self, headers: Mapping[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        if not self._is_genuine(headers, body):
            self.forged += 1
            return
        event = msgspec.json.decode(body, type=_Body).data.event
        now = time.monotonic()
        arrival = Arrival(
            id=headers["webhook-id"],
            task=event.task_id,
            task_seq=event.task_seq,
            is_late=headers.get("slipgate-late") == "true",
            attempt_at=now - time.time() + int(headers["webhook-timestamp"]),
            at=now,
        )
        self.arrivals.append(arrival)
        name = self._reply_name(arrival)
        self.did[name] += 1
        await REPLIES[name](self, arrival, writer)

    def _reply_name(self, arrival: Arrival) -> str:
        if self.is_calm:
            return "error" if arrival.id in self._never and not self.takes_all else "take"
        if self._happens(self.share / POISON_EVERY):
            self._never.add(arrival.id)
        if arrival.id in self._never:
            return "error"
        if not self._happens(self.share):
            return "take"
        return self._random.choice([name for name in REPLIES if name != "take"])

    def _happens(self, share: float) -> bool:
        return self._random.random() < share

    def _is_genuine(self, headers: Mapping[str, str], body: bytes) -> bool:
        try:
            signed = SignedHeaders.parse(headers)
        except MalformedHeaders:
            return False
        return signed.is_signed_by(self.secret, body) and signed.is_timely(time.time())

    async def wait(self) -> None:
        """Until it calms down."""
        await self._released.wait()


def _saying(ending: Ending, text: str) -> Reply:
    async def reply(_: FaultyReceiver, arrival: Arrival, writer: asyncio.StreamWriter) -> None:
        arrival.ending = ending
        writer.write(f"HTTP/1.1 {text}\r\n\r\n".encode())
        await writer.drain()

    return reply


async def _slow(receiver: FaultyReceiver, arrival: Arrival, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(SLOW_SECONDS)
    await REPLIES["take"](receiver, arrival, writer)


async def _hang(receiver: FaultyReceiver, arrival: Arrival, writer: asyncio.StreamWriter) -> None:
    """It has the webhook and never says so."""
    await receiver.wait()
    writer.transport.abort()


async def _half(receiver: FaultyReceiver, arrival: Arrival, writer: asyncio.StreamWriter) -> None:
    """The status says it all; the body never ends."""
    arrival.ending = "taken"
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nso far")
    await writer.drain()
    await receiver.wait()
    writer.transport.abort()


async def _reset(_: FaultyReceiver, arrival: Arrival, writer: asyncio.StreamWriter) -> None:
    at_once = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()


EMPTY = "content-length: 0"
REPLIES: dict[str, Reply] = {
    "take": _saying("taken", "204 No Content"),
    "slow": _slow,
    "error": _saying("refused", f"500 Broken\r\n{EMPTY}"),
    "busy": _saying("refused", f"429 Too Many\r\nretry-after: 1\r\n{EMPTY}"),
    "moved": _saying("refused", f"301 Moved\r\nlocation: /else\r\n{EMPTY}"),
    "gone": _saying("refused", f"410 Gone\r\n{EMPTY}"),
    "reset": _reset,
    "hang": _hang,
    "half": _half,
}
