"""One request and its answer, as ASGI sees them: what the server reads for the application, and
writes for it.

uvicorn's own writes a head and its body apart and looks at every header twice: a fifth of the time
of a small request.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from starlette.types import ASGIApp, Message, Scope
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

log = logging.getLogger("uvicorn.error")

Headers = Iterable[tuple[bytes, bytes]]

_CONTROLS: Final = bytes({*range(32), 127} - {9})
"""Characters that no header may have; the two that end its line are among them."""
_INTERNAL: Final = b"Internal Server Error"
_BODILESS: Final = (204, 304)


class Exchange:
    """A request that is answered. The server tells it of pieces of the body and of the caller's
    leaving, and sets `message_event` then."""

    __slots__ = (
        "_answered",
        "_default_headers",
        "_end",
        "_flow",
        "_head",
        "_is_chunked",
        "_left",
        "_transport",
        "body",
        "disconnected",
        "expects_continue",
        "has_news",
        "keep_alive",
        "message_event",
        "more_body",
        "response_complete",
        "response_started",
        "scope",
    )

    def __init__(
        self,
        scope: Scope,
        transport: asyncio.Transport,
        flow: FlowControl,
        *,
        default_headers: list[tuple[bytes, bytes]],
        message_event: asyncio.Event,
        expects_continue: bool,
        keep_alive: bool,
        answered: Callable[[], None],
        end: Callable[[], None],
    ) -> None:
        """`answered` is called behind a complete answer; `end` ends the connection behind the last
        one. The event is shared by all exchanges of a connection."""
        self.scope = scope
        self.message_event = message_event
        self.expects_continue = expects_continue
        self.keep_alive = keep_alive
        self.disconnected = False
        self.body = b""
        """The pieces that came since the application has asked last."""
        self.more_body = True
        self.has_news = False
        """True if there are pieces, or the end of the body, to tell the application of."""
        self.response_started = False
        self.response_complete = False
        self._transport = transport
        self._flow = flow
        self._default_headers = default_headers
        self._answered = answered
        self._end = end
        self._head = b""
        """The head of the answer while it waits for the body: a second packet costs each side a
        tenth of a request."""
        self._is_chunked = False
        self._left = 0
        """Bytes of the body that the head has promised."""

    async def run(self, app: ASGIApp) -> None:
        """Has the application answer."""
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException:
            log.exception("The application failed.")
        if self.response_complete or self.disconnected:
            return
        if self.response_started:
            self._head = b""  # nothing is better than a head without its body
            self._end()
        else:
            await self._fail()

    def take(self, body: bytes, *, is_last: bool = False) -> None:
        """Keeps a piece of the body until the application asks for it."""
        self.body += body
        self.has_news = True
        self.more_body = not is_last
        self.message_event.set()
        if len(self.body) > HIGH_WATER_LIMIT:
            self._flow.pause_reading()

    async def receive(self) -> Message:
        """The pieces of the body, then, once the caller has left or been answered, the end."""
        if self.expects_continue and not self._transport.is_closing():
            self.expects_continue = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not (self.has_news or self.disconnected or self.response_complete):
            self._flow.resume_reading()
            self.message_event.clear()
            await self.message_event.wait()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body, self.has_news = self.body, b"", False
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Message) -> None:
        """Writes the head together with the first piece of the body; the head of a stream without
        a known length at the end of this turn of the event loop, whatever comes.

        Raises:
            RuntimeError: a message out of order, a header with a control character, or another
                length than the head has promised.
        """
        if self._flow.write_paused and not self.disconnected:
            await self._flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if not self.response_started and kind == "http.response.start":
            self._start(message["status"], message.get("headers", ()))
        elif self.response_started and not self.response_complete and kind == "http.response.body":
            self._write(message.get("body", b""), is_last=not message.get("more_body", False))
        else:
            raise RuntimeError(f"'{kind}' is out of order.")

    def _start(self, status: int, headers: Headers) -> None:
        self.response_started = True
        self.expects_continue = False
        length, says_close = None, False
        lines = [STATUS_LINE[status][:-2]]
        for name, value in (*self._default_headers, *headers):
            lines.append(b"%b: %b" % (name, value))
            if name == b"content-length":
                length = int(value)
            elif name == b"connection" and value.lower() == b"close":
                self.keep_alive, says_close = False, True
        if not (self.keep_alive or says_close):
            lines.append(b"connection: close")
        has_body = self.scope["method"] != "HEAD" and status not in _BODILESS
        if length is None and has_body:
            self._is_chunked = True
            lines.append(b"transfer-encoding: chunked")
        head = b"\r\n".join(lines)
        if len(head.translate(None, _CONTROLS)) != len(head) - 2 * len(lines) + 2:
            raise RuntimeError("A header has a control character.")
        self._left = length or 0 if has_body else 0
        self._head = head + b"\r\n\r\n"
        if self._is_chunked:
            asyncio.get_running_loop().call_soon(self._flush)

    def _write(self, body: bytes, *, is_last: bool) -> None:
        if self.scope["method"] == "HEAD":
            body = b""
        elif self._is_chunked:
            piece = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            body = piece + b"0\r\n\r\n" if is_last else piece
        else:
            self._left -= len(body)
            if self._left < 0 or (is_last and self._left):
                raise RuntimeError("The body is not as long as its head says.")
        head, self._head = self._head, b""
        if head or body:
            self._transport.write(head + body)
        if is_last:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self._end()
            self._answered()

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head and not self.disconnected:
            self._transport.write(head)

    async def _fail(self) -> None:
        length = b"%d" % len(_INTERNAL)
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", length)]
        self.keep_alive = False
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": _INTERNAL})
