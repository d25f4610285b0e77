"""Every failure of an attempt has a stable word, and only the status decides about success."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.loops.deliveries.post import (
    KEPT_ANSWER,
    Outcome,
    WebhookMessage,
    post,
)
from gateway.loops.egress.address_guard import Guard
from gateway.loops.egress.pinned import PinnedTransport
from gateway.loops.egress.proxied import ProxiedTransport
from tests.loops.serving import serving


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """A port that answers everything so, and hangs up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def send(url: str, transport: httpx.AsyncBaseTransport | None = None) -> Outcome:
    message = WebhookMessage(webhook_id="evt_1", url=url, secrets=(b"s" * 32,), body=b"{}")
    guarded = transport or PinnedTransport(Guard(allow_private=True))
    async with asyncio.timeout(60), guarded:
        return await post(guarded, message, clock=lambda: 1_790_000_000_000)


def head(status: str, *headers: str, length: int = 0) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {length}", "connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


SSO = "https://vercel.com/sso-api"
ACCESS = "https://acme.cloudflareaccess.com/cdn-cgi/access/login"
HTML = b"<!doctype html><html><head><title>Authentication Required</title></head></html>"
VERCEL = head(
    "401 Unauthorized",
    *("server: Vercel", "content-type: text/html; charset=utf-8"),
    "set-cookie: _vercel_sso_nonce=f00; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax",
    length=len(HTML),
)
CALLBACK = b'{"error":{"code":"401"},"protection":{"vercel_auth_callback":"%s"}}' % SSO.encode()
VERCEL_JSON = head("401 Unauthorized", "server: Vercel", length=len(CALLBACK))
"""The answers of Vercel to a browser and to a program; GET is sent to its login."""


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (head("204 No Content"), 204, None),
        (head("500 Broken"), 500, "status"),
        (head("302 Found", "location: /else"), 302, "redirect"),
        (head("410 Gone"), 410, "gone"),
        (VERCEL + HTML, 401, "deployment_protection"),
        (VERCEL_JSON + CALLBACK, 401, "deployment_protection"),
        (head("302 Found", f"location: {SSO}?url=x"), 302, "deployment_protection"),
        (head("302 Found", f"location: {ACCESS}/app.example"), 302, "deployment_protection"),
        (head("401 Unauthorized", "server: Vercel", length=13) + b"bad signature", 401, "status"),
        (head("302 Found", "location: https://vercel.com.evil.example/sso"), 302, "redirect"),
        (head("302 Found", "location: https://[/sso"), 302, "redirect"),
        (b"", None, "protocol"),
        (b"nonsense\r\n\r\n", None, "protocol"),
        (head("200 OK", length=10) + b"abc", 200, None),
    ],
    ids=[
        *("2xx", "500", "redirect", "410"),
        *("Vercel's page", "Vercel's JSON", "Vercel's login", "Cloudflare Access"),
        *("an app's own 401 on Vercel", "another host", "no location"),
        *("hangs up", "not http", "body breaks off"),
    ],
)
async def test_what_a_receiver_answers_has_a_word(
    answer: bytes, status: int | None, reason: str | None
) -> None:
    async with answering(answer) as port:
        outcome = await send(f"http://127.0.0.1:{port}/?secret=1")
    assert (outcome.status, outcome.reason) == (status, reason)
    assert outcome.is_success == (reason is None)


async def test_a_receiver_that_speaks_no_tls_is_told_from_one_that_is_not_there() -> None:
    async with answering(b"HTTP/1.1 400 Plain\r\n\r\n") as port:
        assert (await send(f"https://127.0.0.1:{port}/")).reason == "tls"
    assert (await send(f"https://127.0.0.1:{port}/")).reason == "connect"


async def test_a_name_without_an_address_and_a_private_one_are_told_apart() -> None:
    async def nothing(_host: str, _port: int, _project: str) -> Sequence[str]:
        raise OSError("no such name")

    async def inside(_host: str, _port: int, _project: str) -> Sequence[str]:
        return ["10.0.0.1"]

    unknown = PinnedTransport(Guard(resolve=nothing))
    assert (await send("https://nowhere.example/", unknown)).reason == "dns"
    private = PinnedTransport(Guard(resolve=inside))
    assert (await send("https://inside.example/", private)).reason == "blocked"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (head("407 Who Are You"), "proxy"),
        (head("502 Bad Gateway"), "connect"),
        (None, "proxy"),
    ],
    ids=["refuses", "cannot reach the receiver", "is not there"],
)
async def test_a_fault_of_the_proxy_is_not_the_receivers(answer: bytes | None, reason: str) -> None:
    async with answering(answer or b"") as port:
        proxied = httpx.AsyncHTTPTransport(proxy=f"http://127.0.0.1:{port}")
        transport = ProxiedTransport(Guard(allow_private=True), proxied)
        if answer is not None:
            assert (await send("https://127.0.0.1:9/", transport)).reason == reason
    if answer is None:
        assert (await send("https://127.0.0.1:9/", transport)).reason == reason


async def test_no_more_of_an_answer_is_kept_than_people_read() -> None:
    body = b"x" * (KEPT_ANSWER * 3)
    async with answering(head("500 Broken", length=len(body)) + body) as port:
        outcome = await send(f"http://127.0.0.1:{port}/")
    assert outcome.answer == "x" * KEPT_ANSWER


ENDLESS = {
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"x-more: and more\r\n"),
    "one header": (b"HTTP/1.1 200 OK\r\nx: ", b"x" * 64),
    "a status line": (b"HTTP/1.1 200 ", b"O" * 64),
}


@pytest.mark.parametrize("kind", ENDLESS)
async def test_an_answer_without_end_is_left_after_a_bounded_number_of_bytes(kind: str) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        first, again = ENDLESS[kind]
        writer.write(first)
        while not writer.is_closing():
            writer.write(again * 64)
            await writer.drain()

    async with serving(flood) as port:
        outcome = await send(f"http://127.0.0.1:{port}/")
    assert (outcome.status, outcome.reason) == (None, "protocol")


async def test_a_body_without_end_changes_no_status_and_is_not_read_to_its_end() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 4_096)
            await writer.drain()

    async with serving(flood) as port:
        outcome = await send(f"http://127.0.0.1:{port}/")
    assert outcome.is_success
    assert len(outcome.answer or "") == KEPT_ANSWER


@pytest.mark.parametrize("dies_again", [False, True], ids=["answers", "dies again"])
async def test_a_proxy_that_closed_a_kept_connection_is_asked_once_more(dies_again: bool) -> None:
    requests = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        while True:
            await reader.readuntil(b"\r\n\r\n{}")
            requests += 1
            if requests == 2 or (requests > 2 and dies_again):
                break
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with serving(handle) as port:
        inner = httpx.AsyncHTTPTransport(proxy=f"http://127.0.0.1:{port}")
        async with ProxiedTransport(Guard(allow_private=True), inner) as transport:
            outcomes = [await post(transport, MESSAGE, clock=lambda: 1) for _ in range(2)]
    assert [each.is_success for each in outcomes] == [True, not dies_again]
    assert requests == 3


MESSAGE = WebhookMessage(
    webhook_id="evt_1", url="http://127.0.0.1:9/", secrets=(b"s" * 32,), body=b"{}"
)


class Recorder(httpx.AsyncBaseTransport):
    """Answers 204 and keeps the request."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(204, stream=httpx.ByteStream(b""))


async def test_a_receiver_has_the_whole_time_limit_to_answer() -> None:
    recorder = Recorder()
    await send("https://hook.example/", recorder)
    (request,) = recorder.requests
    assert request.extensions["timeout"]["read"] is None


@pytest.mark.parametrize("url", ["ftp://hook.example/", "https://", "https://[::1"])
async def test_what_is_no_address_has_a_word(url: str) -> None:
    assert (await send(url)).reason == "url"


async def test_a_receiver_gets_no_cookie_back() -> None:
    seen: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            seen.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(2))
            writer.write(b"HTTP/1.1 204 No Content\r\nset-cookie: a=b\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    message = WebhookMessage(
        webhook_id="evt_1",
        url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/",
        secrets=(b"s" * 32,),
        body=b"{}",
    )
    async with asyncio.timeout(60), server, PinnedTransport(Guard(allow_private=True)) as transport:
        for _ in range(2):
            assert (await post(transport, message, clock=lambda: 1)).is_success
    assert len(seen) == 2
    assert b"cookie" not in seen[1].lower()
