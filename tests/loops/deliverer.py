"""A deliverer over an outbox in memory, and receivers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from gateway.domain.kernel.answers import Accepted, Answer
from gateway.domain.kernel.commands import SettleDelivery
from gateway.domain.kernel.read_set import Command
from gateway.domain.operations.switches import Pause
from gateway.loops.deliveries.admission import Limits
from gateway.loops.deliveries.attempt import AttemptRunner
from gateway.loops.deliveries.deliver import Deliverer
from gateway.loops.deliveries.message_builder import Build, CannotBuild
from gateway.loops.deliveries.post import WebhookMessage, sender
from gateway.loops.deliveries.schedule import Timing
from gateway.loops.egress.address_guard import Guard
from gateway.loops.egress.pinned import PinnedTransport
from gateway.notifier import Notifier
from gateway.store.ownership import ALONE, Ownership, SoleOwner
from gateway.store.records import DeliveryFailure, DueDeliveries, Head, PendingEndpoint
from tests.loops.heads import Row

SECRET = b"s" * 32
NOW = 1_790_000_000_000


@dataclass
class Receiver:
    """Answers every request with one canned answer, and keeps what it got."""

    answer: bytes = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        exact = dict(line.split(": ", 1) for line in lines if line)
        headers["webhook-signature"] = exact.get("webhook-signature", "")
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((headers, body))
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def listening(receiver: Receiver) -> AsyncIterator[str]:
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?secret=1"


class Outbox:
    """Heads that are due, and what became of them."""

    def __init__(self, heads: Sequence[Row]) -> None:
        self.heads = heads
        self.settled: list[SettleDelivery] = []
        self.past: list[DeliveryFailure] = []
        self.changed = 0
        self.paused: list[Pause] = []

    def pending(self) -> Sequence[Row]:
        return self.heads

    async def due_deliveries(
        self, now: int, endpoint_ids: Sequence[str]
    ) -> dict[str, DueDeliveries]:
        return {
            name: DueDeliveries(
                heads=tuple(each for each in self.pending() if each.endpoint_id == name)
            )
            for name in endpoint_ids
        }

    async def pending_endpoints(self, after: str, limit: int) -> Sequence[PendingEndpoint]:
        projects = {each.endpoint_id: each.project for each in self.pending()}
        return [
            PendingEndpoint(endpoint_id=name, project=projects[name], at=NOW)
            for name in sorted(projects)
            if name > after
        ][:limit]

    async def pauses(self, now: int) -> Sequence[Pause]:
        return self.paused

    async def failures(self) -> Sequence[DeliveryFailure]:
        return self.past

    async def changed_at(self, endpoint_ids: Sequence[str]) -> dict[str, int]:
        return dict.fromkeys(endpoint_ids, self.changed)

    async def submit(self, command: Command) -> Answer:
        assert isinstance(command, SettleDelivery)
        self.settled.append(command)
        return Accepted()


class SharedOwner(SoleOwner):
    """The ownership of a gateway beside another one, which has all endpoints at first."""

    def __init__(self) -> None:
        self._owns = False
        self.version = 0

    def owns(self, _endpoint_id: str) -> bool:
        """True while it has them."""
        return self._owns

    def pass_on(self) -> None:
        """All endpoints go to the other one of the two."""
        self._owns = not self._owns
        self.version += 1


class SlowRead(Outbox):
    """From the second look on it answers only when what flew has landed: its answer is old."""

    def __init__(self, heads: Sequence[Row], landed: Callable[[], Awaitable[bool]]) -> None:
        super().__init__(heads)
        self._landed = landed
        self._looks = 0

    async def due_deliveries(
        self, now: int, endpoint_ids: Sequence[str]
    ) -> dict[str, DueDeliveries]:
        self._looks += 1
        if self._looks > 1:
            await self._landed()
        return await super().due_deliveries(now, endpoint_ids)


def delivering(
    outbox: Outbox,
    build: Build,
    group: asyncio.TaskGroup,
    *,
    transport: httpx.AsyncBaseTransport,
    notifier: Notifier | None = None,
    clock: Callable[[], int] = lambda: NOW,
    is_stopping: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ownership: Ownership = ALONE,
) -> Deliverer:
    timing = Timing(clock=clock, random=lambda: 0.5, is_stopping=is_stopping, sleep=sleep)
    send, notifier = sender(transport, clock), notifier or Notifier()
    limits = Limits()
    attempts = AttemptRunner(
        build, send, outbox.submit, limits=limits, timing=timing, ownership=ownership
    )
    return Deliverer(
        outbox,
        attempts,
        limits=limits,
        timing=timing,
        notifier=notifier,
        group=group,
        ownership=ownership,
    )


async def deliver(
    url: str | None, *heads: Row, allow_private: bool = True, now: int = NOW
) -> list[SettleDelivery]:
    async def build(head: Head) -> WebhookMessage:
        assert isinstance(head, Row)
        if url is None:
            raise CannotBuild("no_address", "The task has no callback address.")
        body = head.body.encode() if head.body else b'{"type":"task.started"}'
        return WebhookMessage(
            webhook_id=f"evt_{head.seq}",
            url=url,
            secrets=(SECRET,),
            body=body,
            is_late=head.failures >= 3,
        )

    outbox = Outbox(heads)
    async with (
        PinnedTransport(Guard(allow_private=allow_private)) as transport,
        asyncio.timeout(60),
        asyncio.TaskGroup() as group,
    ):
        await delivering(outbox, build, group, transport=transport, clock=lambda: now).step()
    return outbox.settled


class Backlog(Outbox):
    """Settled deliveries are no longer due."""

    def pending(self) -> Sequence[Row]:
        done = {(each.endpoint_id, each.seq) for each in self.settled}
        return [each for each in self.heads if (each.endpoint_id, each.seq) not in done]


class Hanging(httpx.AsyncBaseTransport):
    """To receivers that have not answered yet; it knows how many were asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        await self.answers.wait()
        return httpx.Response(204, stream=httpx.ByteStream(b""))


async def broken(outbox: Outbox) -> None:
    """Every delivery raises what nobody expected."""

    async def build(head: Head) -> WebhookMessage:
        raise UnicodeError("label empty or too long")

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        await delivering(outbox, build, group, transport=Hanging()).step()
