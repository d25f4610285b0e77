"""One HTTP/1.1 connection with deadlines for its caller and bounds on what is kept of it.

uvicorn's own waits for ever, keeps whatever comes, and counts connections as if they were requests.
"""

import asyncio
import math
import secrets
from collections import deque
from typing import Any, Final, cast
from urllib.parse import unquote

import msgspec
from httptools import HttpParserError, HttpParserUpgrade, parse_url
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.domain.kernel.errors import ApiError
from gateway.web.http.admission import holder_of
from gateway.web.http.connections import Connections
from gateway.web.http.exchange import Exchange
from gateway.web.http.problems import END_CONNECTION, document
from gateway.wire.problem import MEDIA_TYPE

HEAD_SECONDS: Final = 10
"""From the first byte of a request, or the beginning of the connection, to its headers."""
BODY_SECONDS: Final = 60
"""From the headers to the end of the body."""
IDLE_SECONDS: Final = 75
"""Between two requests."""
READ_SECONDS: Final = 60
"""A caller that has not read what was written to it for this long has gone."""
LINGER_SECONDS: Final = 2
"""For the caller to see the answer that refused the rest of its body: a connection that is closed
over unread bytes is reset, and the answer is lost."""
HEAD_BYTES: Final = 64 * 1024
"""Of the request line and the headers, and of anything else that is not a body."""
REST_BYTES: Final = 64 * 1024
"""Of an unwanted body that is read, so that the connection can be used again."""
_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
PIPELINED: Final = 16
"""Requests that may wait for the answer to the one before."""


class Connection(HttpToolsProtocol):
    """A caller's connection; `server_state` is a `Connections`."""

    cycle: Any
    """The newest `Exchange`, in place of uvicorn's own; None before the first."""

    def __init__(self, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*arguments, **more)
        self.held = 0
        self.since = 0.0
        self._all = cast("Connections", self.server_state)
        self._due = math.inf
        """Deadline of what the caller has to send, in the loop's time."""
        self._stalled_until = math.inf
        """Deadline for taking more of the answer."""
        self._quiet = 0
        """Bytes since the last headers or piece of a body."""
        self._unwanted = 0
        """Bytes of a body that came after its answer."""
        self._is_whole = False
        """True if the newest request has come whole."""
        self._is_in_body = False
        """True between the headers of the newest request and its end."""
        self._is_ending = False
        self._message_event = asyncio.Event()
        self._pipelined: deque[Exchange] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self._extensions: Any = {END_CONNECTION: self._end_behind_answer}
        self._begin()
        self._all.evict_for_new(self.since)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feeds the parser no more at a time than a head may have."""
        size = len(data)
        while data and not self._is_ending:
            left = HEAD_BYTES - self._quiet
            if left <= 0:
                self._refuse_head()
                return
            piece, data = (data[:left], data[left:]) if left < len(data) else (data, b"")
            self._quiet += len(piece)
            self._parse(piece)
        if not self._is_whole and not self._is_ending:
            self._all.hold(self, size)

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._is_whole = False
        self._unwanted = 0
        if self._is_answered:
            self._begin()

    def on_headers_complete(self) -> None:
        """Starts the answer.

        Raises:
            ValueError: too many pipelined requests; the parser refuses them.
        """
        if len(self._pipelined) >= PIPELINED:
            raise ValueError("too many pipelined requests")
        self._quiet = 0
        self._due = self.loop.time() + BODY_SECONDS
        is_first = self._is_answered
        self.cycle = self._exchange()
        self._is_in_body = True
        if is_first:
            self._begin_answer(self.cycle)
        else:
            self.flow.pause_reading()
            self._pipelined.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        """Takes a piece of a body; an unwanted body is read on only if it is short."""
        self._quiet = 0
        if not self.cycle.response_complete:
            self.cycle.take(body)
            return
        self._unwanted += len(body)
        if self._unwanted > REST_BYTES:
            self._end()

    def on_message_complete(self) -> None:
        self._is_whole = True
        self._is_in_body = False
        self._due = math.inf
        self._all.finish(self)
        if self._is_answered:
            self._rest()
        else:
            self.cycle.take(b"", is_last=True)

    def on_response_complete(self) -> None:
        """Answers the next request, or waits for it. uvicorn would set a timer for every answer;
        one sweep of all connections finds those that are idle for too long."""
        if self._is_ending:
            return
        self.flow.resume_reading()
        if self._pipelined:
            self._begin_answer(self._pipelined.popleft())
        elif self._is_whole:
            self._rest()

    @property
    def holder(self) -> str:
        """Whom its newest request counts for."""
        return holder_of(self.cycle.scope.get("state", {})) if self.cycle is not None else ""

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled_until = self.loop.time() + READ_SECONDS
        self._all.count_unread(self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled_until = math.inf
        self._all.forget_unread(self)

    def send_400_response(self, _msg: str) -> None:
        """The answer to bytes that are no HTTP."""
        self._refuse("invalid_http", "These bytes are no request of HTTP/1.1.")

    def is_late(self, now: float) -> bool:
        """True if the caller has not sent or taken in time what it should have."""
        return self._due <= now or self._stalled_until <= now

    def expire(self, now: float) -> None:
        """Ends a late connection; one in the middle of a request gets a problem document."""
        if self._is_ending:
            self.evict()
        elif self._stalled_until <= now:
            self._all.count_refused("answer_not_read")
            self.evict()
        elif self.flow.read_paused:
            self._due = now + BODY_SECONDS  # reading is paused on our side
        elif self._is_answered and self._quiet == 0:
            self._end()
        else:
            self._refuse("request_timeout", "The request did not come whole in time.")

    def evict(self) -> None:
        self._is_ending = True
        self._due = self._stalled_until = math.inf
        self.transport.abort()

    def finish(self) -> None:
        """Ends the connection behind its last answer, so that the caller can read that."""
        if self._is_whole:
            self._end()
            return
        self._is_ending = True
        self._due = self.loop.time() + LINGER_SECONDS
        self.transport.pause_reading()
        self.transport.write_eof()

    def _parse(self, piece: bytes) -> None:
        try:
            self.parser.feed_data(piece)
        except HttpParserUpgrade:
            pass  # a caller that offers another protocol is answered in this one
        except HttpParserError:
            self.send_400_response("")

    def _exchange(self) -> Exchange:
        version = self.parser.get_http_version()
        path, query = self._target()
        return Exchange(
            {
                "type": "http",
                "asgi": _ASGI,
                "http_version": version,
                "server": self.server,
                "client": self.client,
                "scheme": self.scheme,
                "method": self.parser.get_method().decode("ascii"),
                "root_path": "",
                "path": unquote(path) if "%" in path else path,
                "raw_path": path.encode(),
                "query_string": query,
                "headers": self.headers,
                "extensions": self._extensions,
            },
            self.transport,
            self.flow,
            default_headers=self.server_state.default_headers,
            message_event=self._message_event,
            expects_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            answered=self.on_response_complete,
            end=self.finish,
        )

    def _target(self) -> tuple[str, bytes]:
        """The path and the query of the request."""
        url = self.url
        if url[:1] != b"/" or b"#" in url:  # an absolute address, or one with a fragment
            parsed = parse_url(url)
            return parsed.path.decode("ascii"), parsed.query or b""
        path, _, query = url.partition(b"?")
        return path.decode("ascii"), query

    def _begin_answer(self, exchange: Exchange) -> None:
        task = self.loop.create_task(exchange.run(self.app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    @property
    def _is_answered(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)

    def _begin(self) -> None:
        self.since = self.loop.time()
        self._due = self.since + HEAD_SECONDS
        self._all.begin(self)

    def _rest(self) -> None:
        self._due = self.loop.time() + IDLE_SECONDS
        self._all.rest(self)

    def _end_behind_answer(self) -> None:
        """Makes the answer to the newest request, which has not come whole, the last."""
        self.cycle.keep_alive = False

    def _end(self) -> None:
        self._is_ending = True
        self._due = self.loop.time() + LINGER_SECONDS
        self.transport.close()

    def _refuse_head(self) -> None:
        if not self._is_in_body and not self.headers and len(self.url) > HEAD_BYTES // 2:
            self._refuse("uri_too_long", f"The request line is longer than {HEAD_BYTES} bytes.")
        else:
            detail = f"The request line and the headers have more than {HEAD_BYTES} bytes."
            self._refuse("headers_too_large", detail)

    def _refuse(self, code: str, detail: str) -> None:
        """Sends a problem document, unless another answer has begun, and ends the connection."""
        self._all.count_refused(code)
        if not self._is_answered:
            if not self._is_in_body or self.cycle.response_started or self._pipelined:
                self.evict()
                return
            self.cycle.disconnected = True  # its handler waits for the body
            self.cycle.message_event.set()
        self.transport.write(_refusal(code, detail))
        self._is_whole = False
        self.finish()


def _refusal(code: str, detail: str) -> bytes:
    request_id = secrets.token_hex(8)
    problem = document(request_id, ApiError(code, detail))
    body = msgspec.json.encode(problem)
    head = (
        f"HTTP/1.1 {problem.status} {problem.title}",
        f"content-type: {MEDIA_TYPE}",
        f"content-length: {len(body)}",
        f"x-request-id: {request_id}",
        "connection: close",
        "\r\n",
    )
    return "\r\n".join(head).encode() + body
