"""Connections as a hostile caller makes them: real sockets, and a clock that the test reads for."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, cast

import msgspec
import pytest
import structlog
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from gateway.web.http import connections
from gateway.web.http.connection import (
    BODY_SECONDS,
    HEAD_BYTES,
    HEAD_SECONDS,
    IDLE_SECONDS,
    LINGER_SECONDS,
    PIPELINED,
    READ_SECONDS,
    REST_BYTES,
    Connection,
)
from gateway.web.http.connections import LOG_SECONDS, Connections

GET: Final = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LONG: Final = b"POST /enough HTTP/1.1\r\nContent-Length: 999999\r\n\r\n"
HEADERS: Final = {
    "/enough": {"connection": "close"},
    "/forged": {"x-name": "value\r\nset-cookie: forged"},
    "/longer": {"content-length": "3"},
    "/shorter": {"content-length": "1"},
}
"""Headers of answers, whose body is `ok`."""
MANY: Final = 200
KERNEL: Final = 16 * 1024 * 1024
"""Bytes that the buffers of two sockets may hold between them."""
LARGE: Final = 8 * 1024 * 1024
"""Bytes of an answer, half of which such buffers cannot hold if one of them is small."""
PATIENCE: Final = 60


@dataclass
class Server:
    """One listener, the connections behind it, and what its application has seen."""

    port: int
    all: Connections
    refused: list[str]
    """Why connections were."""
    seen: list[str] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self) -> "Caller":
        """A new connection, once the server knows of it."""
        before = set(self.all.connections)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        await until(lambda: bool(self.all.connections - before))
        self.writers.append(writer)
        return Caller(reader, writer)

    def is_empty(self) -> bool:
        """True if no connection is left, once the lingering ones have ended."""
        self.later(LINGER_SECONDS + 1)
        return not self.all.connections and not self.all.tasks

    def is_stalled(self) -> bool:
        """True if a caller does not read."""
        return any(cast("Connection", each).flow.write_paused for each in self.all.connections)

    def later(self, seconds: float) -> None:
        """Runs the server's timers that come due within `seconds`."""
        self.all.sweep(asyncio.get_running_loop().time() + seconds)


@dataclass
class Caller:
    """The other end."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of the next answer."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(head.split()[1]), await self.reader.readexactly(length)

    async def refusal(self) -> tuple[int, str]:
        """Status and code of the problem document, behind which the connection ends."""
        status, body = await self.answer()
        assert await self.is_closed()
        return status, msgspec.json.decode(body)["code"]

    async def is_closed(self) -> bool:
        """Waits for the end."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True


@asynccontextmanager
async def serving(most: int = 1_000) -> AsyncIterator[Server]:
    """A server with the gateway's connections before a small application."""
    loop = asyncio.get_running_loop()
    refused: list[str] = []
    server = Server(port=0, all=Connections(most=most, refused=refused.append), refused=refused)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        server.seen.append(scope["path"])
        try:
            if scope["path"] == "/body":
                await request.body()
            elif scope["path"] == "/wait":
                await server.release.wait()
            elif scope["path"] == "/endless":
                await _endless(send)
            elif scope["path"].startswith("/large"):
                scope["state"] = {"places": (scope["path"],)}
                headers = {"connection": "close"}
                await PlainTextResponse(b"x" * LARGE, headers=headers)(scope, receive, send)
                return
            elif scope["path"] == "/stream":
                await _begin_stream(send)
                await server.release.wait()
        except ClientDisconnect:
            server.seen.append("gone")
            return
        headers = HEADERS.get(scope["path"], {})
        await PlainTextResponse("ok", headers=headers)(scope, receive, send)

    config = uvicorn.Config(application, lifespan="off", ws="none", log_config=None)

    def connection() -> Connection:
        return Connection(config=config, server_state=server.all, app_state={}, _loop=loop)

    listener = await loop.create_server(connection, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        server.release.set()
        for writer in server.writers:
            writer.transport.abort()
        await until(server.is_empty)


async def _begin_stream(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def _endless(send: Send) -> None:
    start: Message = {"type": "http.response.start", "status": 200, "headers": []}
    await send(start)
    for _ in range(KERNEL // 65_536 * 4):
        await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if is_true():
                return
            await asyncio.sleep(0.001)


async def test_half_requests_are_late_after_their_deadline_and_not_before() -> None:
    async with serving() as server:
        callers = [await server.call() for _ in range(3)]
        await callers[0].send(b"GET / HTTP/1.1\r\nX: ")
        await callers[1].send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await callers[1].answer())[0] == 200
        await until(lambda: server.all.held > 0)
        server.later(HEAD_SECONDS - 1)
        assert len(server.all.connections) == 3
        server.later(HEAD_SECONDS + 1)
        assert await callers[0].refusal() == (408, "request_timeout")
        assert await callers[2].is_closed()  # it never said a word
        await callers[1].send(GET)
        assert (await callers[1].answer())[0] == 200


async def test_an_idle_connection_ends_after_its_time() -> None:
    async with serving() as server:
        caller = await server.call()
        await caller.send(GET)
        await caller.answer()
        server.later(IDLE_SECONDS - 1)
        await caller.send(GET)
        assert (await caller.answer())[0] == 200
        server.later(IDLE_SECONDS + 1)
        assert await caller.is_closed()


async def test_a_body_that_does_not_come_is_late_and_its_handler_is_told() -> None:
    async with serving() as server:
        caller = await server.call()
        await caller.send(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{}")
        await until(lambda: server.seen == ["/body"])
        server.later(BODY_SECONDS - 1)
        assert server.seen == ["/body"]
        server.later(BODY_SECONDS + 1)
        assert await caller.refusal() == (408, "request_timeout")
        await until(lambda: server.seen == ["/body", "gone"])
        assert server.refused == ["request_timeout"]


async def test_of_many_refused_connections_there_is_one_line_in_a_while() -> None:
    with structlog.testing.capture_logs() as lines:
        async with serving() as server:
            for _ in range(2):
                for _ in range(3):
                    caller = await server.call()
                    await caller.send(b"nonsense\r\n\r\n")
                    assert await caller.refusal() == (400, "invalid_http")
                server.later(0)
            server.later(LOG_SECONDS + 1)
    told = [line for line in lines if line["event"] == "connections.refused"]
    assert [line["invalid_http"] for line in told] == [3, 3]


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"a" * HEAD_BYTES, 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * (HEAD_BYTES // 6), 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\n" + b"X" * HEAD_BYTES, 431, "headers_too_large"),
        (b"GET /" + b"a" * HEAD_BYTES, 414, "uri_too_long"),
        (b"GET /?" + b"a=b&" * (HEAD_BYTES // 4), 414, "uri_too_long"),
        (
            b"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "
            + b"a" * (2 * HEAD_BYTES),
            431,
            "headers_too_large",
        ),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "invalid_http"),
        (b"GET / HTTP/1.1\r\nHost x\r\n\r\n", 400, "invalid_http"),
        (b"\x00" * 100, 400, "invalid_http"),
    ],
    ids=["value", "fields", "name", "path", "query", "trailers", "TLS", "no colon", "zeros"],
)
async def test_what_is_too_long_or_no_http_is_a_problem_document(
    head: bytes, status: int, code: str
) -> None:
    async with serving() as server:
        caller = await server.call()
        await caller.send(head)
        assert await caller.refusal() == (status, code)
        assert server.all.held <= 2 * HEAD_BYTES
        assert server.refused == [code]


async def test_a_head_of_just_the_limit_is_taken() -> None:
    begin = b"GET / HTTP/1.1\r\nX: "
    async with serving() as server:
        caller = await server.call()
        await caller.send(begin + b"a" * (HEAD_BYTES - len(begin) - 4) + b"\r\n\r\n")
        assert (await caller.answer())[0] == 200


async def test_of_a_head_without_end_no_more_is_taken_than_the_buffers_hold() -> None:
    async with serving() as server:
        head = b"GET / HTTP/1.1\r\nX: "
        pushing = asyncio.create_task(asyncio.to_thread(_push, server.port, head, b"a" * 65_536))
        assert await _taken(server, pushing) < KERNEL
        assert server.all.held <= 2 * HEAD_BYTES


@pytest.mark.parametrize("path", [b"/", b"/enough"])
async def test_a_body_that_nobody_wants_is_not_read_on(path: bytes) -> None:
    async with serving() as server:
        head = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        pushing = asyncio.create_task(
            asyncio.to_thread(_push, server.port, head, b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        )
        assert await _taken(server, pushing) < KERNEL


async def test_behind_a_short_body_that_nobody_wanted_the_connection_is_used_again() -> None:
    async with serving() as server:
        caller = await server.call()
        body = b"x" * (REST_BYTES - 1)
        await caller.send(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert (await caller.answer())[0] == 200
        await caller.send(body + GET)
        assert (await caller.answer())[0] == 200


async def test_the_answer_that_ends_a_body_arrives() -> None:
    async with serving() as server:
        caller = await server.call()
        await caller.send(
            b"POST /enough HTTP/1.1\r\nContent-Length: 999999\r\n\r\n" + b"x" * 50_000
        )
        assert await caller.answer() == (200, b"ok")
        assert await caller.is_closed()


async def test_of_many_half_requests_the_oldest_go_and_a_request_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "PROMPT_SECONDS", -1.0)
    async with serving(most=20) as server:
        late = [await server.call() for _ in range(20)]
        for caller in late:
            await caller.send(b"GET / HTTP/1.1\r\nX: ")
        caller = await server.call()
        await caller.send(GET)
        assert (await caller.answer())[0] == 200
        assert await late[0].is_closed()
        await late[-1].send(b"a\r\n\r\n")
        assert (await late[-1].answer())[0] == 200


async def test_for_a_new_connection_an_idle_one_goes_and_one_that_is_answered_stays() -> None:
    async with serving(most=3) as server:
        waiting, idle, begun = [await server.call() for _ in range(3)]
        await waiting.send(GET.replace(b"/ ", b"/wait "))
        await idle.send(GET)
        await idle.answer()
        await begun.send(b"GET / ")
        await until(lambda: server.seen == ["/wait", "/"])
        await server.call()
        assert await idle.is_closed()
        server.release.set()
        assert (await waiting.answer())[0] == 200
        await begun.send(b"HTTP/1.1\r\n\r\n")
        assert (await begun.answer())[0] == 200


async def test_of_bodies_that_do_not_end_only_so_much_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "HELD_BYTES", 5 * HEAD_BYTES)
    async with serving() as server:
        callers = [await server.call() for _ in range(8)]
        for caller in callers:
            await caller.send(b"GET / HTTP/1.1\r\nX: " + b"a" * (HEAD_BYTES - 100))
            assert server.all.held <= 5 * HEAD_BYTES
        assert await callers[0].is_closed()


async def test_a_caller_that_does_not_read_its_answer_is_ended() -> None:
    async with serving() as server:
        with socket.create_connection(("127.0.0.1", server.port)) as caller:
            caller.sendall(GET.replace(b"/ ", b"/endless "))
            await until(server.is_stalled)
            server.later(READ_SECONDS - 1)
            assert len(server.all.connections) == 1
            server.later(READ_SECONDS + 1)
            await until(lambda: not server.all.connections)


async def test_of_answers_that_nobody_reads_only_so_much_is_kept_and_the_greediest_lose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "UNREAD_BYTES", 2 * LARGE)
    async with serving() as server:
        with ExitStack() as stack:
            callers = []
            for path in (b"/large/alpha", *[b"/large/beta"] * 4):
                callers.append(stack.enter_context(_never_reading(server.port)))
                callers[-1].sendall(GET.replace(b"/ ", path + b" "))
                await until(lambda: len(server.seen) == len(callers))
                assert server.all.unread.total() <= 2 * LARGE
            await until(lambda: set(server.refused) == {"answer_not_read"})
            assert server.all.unread.keys() == {"/large/alpha", "/large/beta"}
            assert await asyncio.to_thread(_read, callers[0]) > LARGE
        await until(lambda: not server.all.connections)
        assert not server.all.unread


def _never_reading(port: int) -> socket.socket:
    """A connection whose buffer for answers is small."""
    caller = socket.socket()
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    caller.settimeout(PATIENCE)
    caller.connect(("127.0.0.1", port))
    return caller


def _read(caller: socket.socket) -> int:
    """The bytes of an answer, behind which its connection ends."""
    size = 0
    while piece := caller.recv(65_536):
        size += len(piece)
    return size


async def test_only_a_few_requests_wait_behind_an_unanswered_one() -> None:
    async with serving() as server:
        caller = await server.call()
        await caller.send(GET.replace(b"/ ", b"/wait ") + GET * (PIPELINED + 2))
        assert await caller.is_closed()
        assert server.seen == ["/wait"]


@pytest.mark.parametrize("path", ["forged", "longer", "shorter"])
async def test_an_answer_that_is_no_http_is_never_sent(path: str) -> None:
    async with serving() as server:
        caller = await server.call()
        await caller.send(GET.replace(b"/", f"/{path}".encode(), 1))
        assert await caller.is_closed()


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async with serving() as server:
        caller = await server.call()
        await caller.send(GET.replace(b"/ ", b"/wait ") + GET * PIPELINED)
        server.release.set()
        for _ in range(PIPELINED + 1):
            assert (await caller.answer())[0] == 200


async def test_a_head_and_its_body_come_as_one() -> None:
    async with serving() as server:
        caller = await server.call()
        await caller.send(GET)
        assert (await caller.reader.read(65_536)).endswith(b"\r\n\r\nok")


async def test_the_head_of_a_stream_does_not_wait_for_its_first_piece() -> None:
    async with serving() as server:
        caller = await server.call()
        await caller.send(GET.replace(b"/ ", b"/stream "))
        assert (await caller.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
async def test_an_answer_without_a_body_arrives(more: bytes) -> None:
    async with serving() as server:
        caller = await server.call()
        await caller.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n" + more + b"\r\n")
        assert (await caller.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")


async def test_what_has_ended_is_counted_nowhere() -> None:
    async with serving() as server:
        for number in range(MANY):
            caller = await server.call()
            await caller.send(
                (GET, b"GET / HT", b"POST /body HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")[number % 3]
            )
            if number % 3 == 0:
                await caller.answer()
            caller.writer.close()
        await until(lambda: not server.all.connections)
        assert (server.all.held, server.all.unfinished, server.all.idle) == (0, {}, {})


async def _taken(server: Server, pushing: asyncio.Task[int]) -> int:
    """The bytes that were taken of a caller who sends without end, also after it was answered."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if pushing.done():
                return pushing.result()
            server.later(LINGER_SECONDS + 1)
            await asyncio.sleep(0.01)


def _push(port: int, head: bytes, piece: bytes) -> int:
    """The bytes that were taken before the connection broke, or twice as many as should be."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as caller:
        caller.sendall(head)
        sent = 0
        try:
            while sent < 2 * KERNEL:
                sent += caller.send(piece)
        except OSError:
            pass
        return sent
