"""Connections go to the checked address, and serve no host but their own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from gateway.loops.egress.address_guard import Guard
from gateway.loops.egress.pinned import PinnedTransport
from tests.loops.serving import serving
from tests.loops.tls import Authority, Hosts

HERE = "127.0.0.1"
THERE = "127.0.0.2"
NOWHERE = "127.0.0.3"
"""Nothing listens there."""

pytestmark = pytest.mark.allow_hosts([HERE, THERE, NOWHERE])


@dataclass
class Names:
    """Addresses by host; they may change between two look-ups."""

    found: dict[str, Sequence[str]] = field(default_factory=dict)

    async def __call__(self, host: str, _port: int, _project: str) -> Sequence[str]:
        return self.found.get(host, (HERE,))


@asynccontextmanager
async def client(names: Names, authority: Authority) -> AsyncIterator[httpx.AsyncClient]:
    guard = Guard(allow_private=True, resolve=names)
    transport = PinnedTransport(guard, trust=authority.trusted)
    async with asyncio.timeout(60), httpx.AsyncClient(transport=transport) as opened:
        yield opened


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_two_hosts_on_one_address_never_share_a_connection(authority: Authority) -> None:
    hosts = Hosts({name: authority.context(name) for name in ("a.example", "b.example")})
    async with hosts.listening() as port, client(Names(), authority) as http:
        for name in ("a.example", "b.example", "a.example"):
            answer = await http.post(f"https://{name}:{port}/", content=b"{}")
            assert answer.status_code == 204
    assert hosts.connections == [
        ("a.example", ["a.example", "a.example"]),
        ("b.example", ["b.example"]),
    ]


async def test_a_host_is_held_to_its_own_certificate_beside_an_open_connection(
    authority: Authority,
) -> None:
    hosts = Hosts({"a.example": authority.context("a.example")})
    async with hosts.listening() as port, client(Names(), authority) as http:
        await http.post(f"https://a.example:{port}/", content=b"{}")
        with pytest.raises(httpx.ConnectError, match="Hostname mismatch"):
            await http.post(f"https://b.example:{port}/", content=b"{}")
    assert [received for _, received in hosts.connections] == [["a.example"]]


async def test_an_address_that_is_the_host_is_verified_as_that(authority: Authority) -> None:
    hosts = Hosts({HERE: authority.context(HERE)})
    async with hosts.listening() as port, client(Names(), authority) as http:
        assert (await http.post(f"https://{HERE}:{port}/", content=b"{}")).status_code == 204


async def test_an_open_connection_is_left_when_its_host_has_moved(authority: Authority) -> None:
    here = Hosts({"a.example": authority.context("a.example")})
    there = Hosts({"a.example": authority.context("a.example")})
    names = Names()
    async with (
        here.listening(HERE) as port,
        there.listening(THERE, port),
        client(names, authority) as http,
    ):
        for found in ([HERE], [THERE], [HERE, THERE], [THERE]):
            names.found["a.example"] = found
            await http.post(f"https://a.example:{port}/", content=b"{}")
    assert [len(received) for _, received in here.connections] == [1]
    assert [len(received) for _, received in there.connections] == [3]


async def test_every_request_is_judged_also_over_an_open_connection(authority: Authority) -> None:
    hosts = Hosts({"a.example": authority.context("a.example")})
    looks: list[str] = []

    async def resolve(host: str, _port: int, _project: str) -> Sequence[str]:
        looks.append(host)
        return (HERE,)

    guard = Guard(allow_private=True, resolve=resolve)
    transport = PinnedTransport(guard, trust=authority.trusted)
    async with hosts.listening() as port, httpx.AsyncClient(transport=transport) as http:
        for _ in range(3):
            await http.post(f"https://a.example:{port}/", content=b"{}")
    assert looks == ["a.example"] * 3
    assert len(hosts.connections) == 1


async def test_the_next_address_is_tried_when_one_does_not_answer(authority: Authority) -> None:
    hosts = Hosts({"a.example": authority.context("a.example")})
    names = Names({"a.example": [NOWHERE, HERE]})
    async with hosts.listening() as port, client(names, authority) as http:
        await http.post(f"https://a.example:{port}/", content=b"{}")
    assert len(hosts.connections) == 1


@dataclass
class Fickle:
    """Takes each request on a connection of its own: a second one finds it closed, though nothing
    has said so."""

    answers: int = 1
    """Of each connection, before it ends without a word."""
    requests: list[int] = field(default_factory=list)
    """Of each connection, how many came whole."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.requests)
        self.requests.append(0)
        while self.requests[number] <= self.answers:
            await reader.readuntil(b"\r\n\r\n{}")
            self.requests[number] += 1
            if self.requests[number] <= self.answers:
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")


@pytest.mark.parametrize(("answers", "requests"), [(1, [2, 2, 1]), (2, [3, 1])], ids=["one", "two"])
async def test_a_request_that_died_on_a_kept_connection_is_sent_again_on_a_new_one(
    authority: Authority, answers: int, requests: list[int]
) -> None:
    fickle = Fickle(answers)
    async with serving(fickle.handle) as port, client(Names(), authority) as http:
        for _ in range(3):
            assert (await http.post(f"http://{HERE}:{port}/", content=b"{}")).status_code == 204
    assert fickle.requests == requests


async def test_a_request_that_died_on_a_new_connection_is_not_sent_again(
    authority: Authority,
) -> None:
    fickle = Fickle(0)
    async with serving(fickle.handle) as port, client(Names(), authority) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post(f"http://{HERE}:{port}/", content=b"{}")
    assert fickle.requests == [1]


async def test_a_request_that_was_answered_in_part_is_not_sent_again(authority: Authority) -> None:
    came = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        for answer in (b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 20"):
            await reader.readuntil(b"\r\n\r\n{}")
            came += 1
            writer.write(answer)

    async with serving(handle) as port, client(Names(), authority) as http:
        await http.post(f"http://{HERE}:{port}/", content=b"{}")
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post(f"http://{HERE}:{port}/", content=b"{}")
    assert came == 2


ANSWERS = {
    "behind interim ones": (
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        ),
        True,
    ),
    "in chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        True,
    ),
    "of HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", False),
    "the last one": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        False,
    ),
    "with more behind it": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n",
        False,
    ),
}


@pytest.mark.parametrize(("answer", "is_kept"), ANSWERS.values(), ids=ANSWERS)
async def test_an_answer_is_read_whole_and_its_connection_kept_if_it_may(
    authority: Authority, answer: bytes, is_kept: bool
) -> None:
    connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(answer)

    async with serving(handle) as port, client(Names(), authority) as http:
        for _ in range(2):
            received = await http.post(f"http://{HERE}:{port}/", content=b"{}")
            assert (received.status_code, received.text) == (200, "ok")
    assert connections == (1 if is_kept else 2)


async def test_a_body_without_a_length_ends_with_its_connection(authority: Authority) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(b"HTTP/1.1 500 Broken\r\n\r\nsorry")

    async with serving(handle) as port, client(Names(), authority) as http:
        received = await http.post(f"http://{HERE}:{port}/", content=b"{}")
        assert (received.status_code, received.text) == (500, "sorry")


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    ],
    ids=["no HTTP", "another protocol", "two lengths", "too long"],
)
async def test_what_is_no_answer_is_an_error_of_the_protocol(
    authority: Authority, answer: bytes
) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(answer)
        await reader.read()

    async with serving(handle) as port, client(Names(), authority) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post(f"http://{HERE}:{port}/", content=b"{}")


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nx: y", "a\rb", "a\0b"], ids=repr)
async def test_no_header_becomes_two(authority: Authority, value: str) -> None:
    async with client(Names(), authority) as http:
        with pytest.raises(httpx.LocalProtocolError):
            await http.post(f"http://{HERE}:9/", content=b"{}", headers={"x": value})


async def test_a_receiver_that_never_shakes_hands_is_left(authority: Authority) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(handle) as port, client(Names(), authority) as http:
        with pytest.raises(httpx.ConnectTimeout):
            await http.post(f"https://a.example:{port}/", content=b"{}", timeout=0.05)
