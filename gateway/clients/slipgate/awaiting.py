"""The client that is awaited: it performs the effects of an exchange with httpx."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Generic, Self, TypeVar, cast

import httpx

from slipgate.call import Answer, Call, NoAnswer
from slipgate.connection import Connection, answer_of, no_answer
from slipgate.exchange import Effect, Emit, Items, Open, Pause, Send, Steps, exchange
from slipgate.following import pages
from slipgate.types import Page

T = TypeVar("T")


class AwaitingClient:
    """Sends calls, whose answers are awaited; to be closed, or used in `async with`."""

    def __init__(
        self,
        connection: Connection,
        http: httpx.AsyncClient | None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.connection = connection
        self._http = http or httpx.AsyncClient(trust_env=False, verify=connection.tls())
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def exchange(self, call: Call[T]) -> T:
        """The answer to one call, sent again where that is safe."""
        return await self.run(exchange(call, self.connection.retries))

    def pages(self, call: Call[Page[T]], place: str) -> "AsyncPages[T]":
        """The pages of a list."""
        return AsyncPages(self, call, place)

    async def run(self, steps: Steps[T]) -> T:
        """The result of an exchange."""
        outcome: object = None
        async with aclosing(_Effects(self._http, self.connection, self._sleep)) as effects:
            while True:
                try:
                    effect = steps.send(outcome)
                except StopIteration as end:
                    return cast("T", end.value)
                outcome = await effects.perform(effect)

    async def iterate(self, items: Items[T]) -> AsyncGenerator[T, None]:
        """The items of an exchange, as they come."""
        outcome: object = None
        async with aclosing(_Effects(self._http, self.connection, self._sleep)) as effects:
            while True:
                try:
                    effect = items.send(outcome)
                except StopIteration:
                    return
                if isinstance(effect, Emit):
                    outcome = None
                    yield effect.item
                else:
                    outcome = await effects.perform(effect)


class AsyncPages(Generic[T]):
    """A list: iteration fetches its pages one after the other."""

    def __init__(self, client: AwaitingClient, call: Call[Page[T]], place: str) -> None:
        self._client = client
        self._call = call
        self._place = place

    def __aiter__(self) -> AsyncIterator[T]:
        retries = self._client.connection.retries
        return self._client.iterate(pages(self._call, self._place, retries))

    async def page(self) -> Page[T]:
        """The first page alone."""
        return await self._client.exchange(self._call)


class _Effects:
    """The effects of one exchange, and the answer that it has left open."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        connection: Connection,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._http = http
        self._connection = connection
        self._sleep = sleep
        self._opened: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None

    async def perform(self, effect: Effect) -> Answer | NoAnswer | bytes | None:
        """The outcome to send to the exchange."""
        if isinstance(effect, Pause):
            await self._sleep(effect.seconds)
            return None
        try:
            if isinstance(effect, Send | Open):
                return await self._send(effect)
            return await anext(self._chunks, b"") if self._chunks is not None else b""
        except httpx.TransportError as exc:
            return no_answer(exc) if isinstance(effect, Send | Open) else b""

    async def _send(self, effect: Send | Open) -> Answer:
        request = self._connection.request(self._http, effect.call)
        if isinstance(effect, Send):
            response = await self._http.send(request)
            return answer_of(response, response.content)
        await self.aclose()
        self._opened = response = await self._http.send(request, stream=True)
        self._chunks = response.aiter_bytes()
        return answer_of(response, b"" if response.is_success else await response.aread())

    async def aclose(self) -> None:
        """Closes the open answer."""
        if self._opened is not None:
            await self._opened.aclose()
