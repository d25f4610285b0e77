"""Between the gateway and those who call it: holds a message on its way, or its answer.

A kill is exact only where somebody waits. A caller whose message is held has done all that comes
before it and nothing that comes after; a gateway whose answer is held has committed. What a killed
program does not hear is lost as on a real network: the connection breaks.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

import msgspec

from tests.e2e.barrier import REACH_SECONDS

Json = dict[str, Any]
WEBHOOKS: Final = "/v1/webhooks/agent"
JOBS: Final = "/v1/launcher/jobs/"
CLAIM: Final = "/v1/launcher/claim"
LOOKS: Final = 3
"""Of the event loop at its sockets, until it has seen that one was closed long ago."""


class Moment(Enum):
    """The side on which a message is held."""

    ASKED = auto()
    """It left its sender and has not reached the gateway."""
    ANSWERED = auto()
    """The gateway has answered; its sender will never hear of it."""


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """Between two steps: the message that tells of the first."""

    message: str
    moment: Moment

    def __str__(self) -> str:
        return f"{self.message} {self.moment.name.lower()}"


@dataclass(frozen=True, kw_only=True)
class _Hold:
    """Of one boundary."""

    is_for_all: bool = False
    """Callers that come again are held again."""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


class Proxy:
    """Names the messages `<who>.<what>`; see `_name`."""

    def __init__(self, gateway_port: int) -> None:
        self.url = ""
        self._gateway_port = gateway_port
        self._kinds: dict[str, str] = {}
        """Jobs that were claimed, and what kind they are."""
        self.acknowledged: set[str] = set()
        """`webhook-id`s of the agents' words that the gateway took."""
        self._wanted: dict[Boundary, _Hold] = {}

    def hold(self, *boundaries: Boundary) -> None:
        """Holds the first message at each of these boundaries, once."""
        self._wanted |= {boundary: _Hold() for boundary in boundaries}

    def keep_back(self, boundary: Boundary) -> None:
        """Everybody who comes to it is held there."""
        self._wanted[boundary] = _Hold(is_for_all=True)

    async def reached(self, boundary: Boundary) -> None:
        """Until somebody is held there; raises `TimeoutError`."""
        async with asyncio.timeout(REACH_SECONDS):
            await self._wanted[boundary].reached.wait()

    def release(self, *boundaries: Boundary) -> None:
        """Holds nothing any more at these, or anywhere. A message goes on if its sender lives, an
        answer is lost."""
        for boundary in boundaries or tuple(self._wanted):
            if boundary in self._wanted:
                self._wanted.pop(boundary).released.set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Proxy"]:
        """Listens as long as the context is open."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            self.release()
            server.close()

    async def _serve(self, caller: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            while answer := await self._answer(await _read(caller), caller):
                back.write(answer)
                await back.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            back.transport.abort()

    async def _answer(self, request: bytes, caller: asyncio.StreamReader) -> bytes | None:
        """The gateway's answer; None if the caller shall not get any."""
        name = self._name(request)
        if await self._is_held(name, Moment.ASKED) and await _has_hung_up(caller):
            return None
        answer = await self._forward(request, caller)
        if answer is not None and answer.startswith(b"HTTP/1.1 2"):
            name = self._note(name, request, answer)
        return None if await self._is_held(name, Moment.ANSWERED) else answer

    async def _is_held(self, name: str, moment: Moment) -> bool:
        """True if it was held; returns once it is released."""
        held = self._wanted.get(Boundary(message=name, moment=moment))
        if held is None or (held.reached.is_set() and not held.is_for_all):
            return False
        held.reached.set()
        await held.released.wait()
        return True

    async def _forward(self, request: bytes, caller: asyncio.StreamReader) -> bytes | None:
        """None if the caller hangs up meanwhile: the gateway must notice that, too."""
        asking = asyncio.ensure_future(_ask(self._gateway_port, request))
        hanging_up = asyncio.ensure_future(caller.read(1))
        try:
            await asyncio.wait({asking, hanging_up}, return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else None
        finally:
            asking.cancel()
            hanging_up.cancel()
            await asyncio.gather(asking, hanging_up, return_exceptions=True)

    def _name(self, request: bytes) -> str:
        """`agent.started`, `agent.push`, `create.trying`, `destroy.done`; otherwise the path."""
        path = request.split(b" ", 2)[1].decode()
        if path == WEBHOOKS:
            body: Json = _json(request)
            kind = str(body["type"]).removeprefix("task.")
            return f"agent.{body['data']['stage'] if kind == 'progress' else kind}"
        if not path.startswith(JOBS):
            return path
        job_id, verb = path.removeprefix(JOBS).split("/")
        return f"{self._kinds.get(job_id, 'unknown')}.{self._verb(verb, request)}"

    def _verb(self, verb: str, request: bytes) -> str:
        """A `done` that hands over a part of the spool is called `spool`."""
        return "spool" if verb == "done" and _json(request).get("spool") else verb

    def _note(self, name: str, request: bytes, answer: bytes) -> str:
        """Remembers what was agreed; a claim is called by the first of the jobs it brought."""
        if name.startswith("agent."):
            self.acknowledged.add(_fields(request)["webhook-id"])
        if name != CLAIM:
            return name
        jobs: list[Json] = _json(answer)["jobs"]
        self._kinds |= {job["id"]: job["kind"] for job in jobs}
        return f"{jobs[0]['kind']}.claim" if jobs else name


async def _ask(port: int, request: bytes) -> bytes | None:
    """One request over a connection of its own; raises `ConnectionError` as it breaks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await _read(reader)
    finally:
        writer.transport.abort()


async def _read(stream: asyncio.StreamReader) -> bytes:
    """A whole HTTP/1.1 message, whose body has a length or comes in chunks."""
    head = await stream.readuntil(b"\r\n\r\n")
    fields = _fields(head)
    if fields.get("transfer-encoding") == "chunked":
        return head + await _chunks(stream)
    return head + await stream.readexactly(int(fields.get("content-length", 0)))


async def _chunks(stream: asyncio.StreamReader) -> bytes:
    """A chunked body as it was sent, without trailers."""
    body, size = b"", 1
    while size:
        line = await stream.readuntil(b"\r\n")
        size = int(line, 16)
        body += line + await stream.readexactly(size + len(b"\r\n"))
    return body


def _fields(message: bytes) -> dict[str, str]:
    """Its headers; their names in lower case."""
    lines = message.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(": ") for line in lines)
    return {name.lower(): text for name, _, text in pairs}


def _json(message: bytes) -> Json:
    body: Json = msgspec.json.decode(message.partition(b"\r\n\r\n")[2])
    return body


async def _has_hung_up(caller: asyncio.StreamReader) -> bool:
    for _ in range(LOOKS):
        await asyncio.sleep(0)
    return caller.at_eof() or caller.exception() is not None
