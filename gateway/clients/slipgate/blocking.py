"""The client that blocks: it performs the effects of an exchange with httpx."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Generic, Self, TypeVar, cast

import httpx

from slipgate.call import Answer, Call, NoAnswer
from slipgate.connection import Connection, answer_of, no_answer
from slipgate.exchange import Effect, Emit, Items, Open, Pause, Send, Steps, exchange
from slipgate.following import pages
from slipgate.types import Page

T = TypeVar("T")


class BlockingClient:
    """Sends calls and waits for their answers; to be closed, or used in a `with` statement."""

    def __init__(
        self,
        connection: Connection,
        http: httpx.Client | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.connection = connection
        self._http = http or httpx.Client(trust_env=False, verify=connection.tls())
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def exchange(self, call: Call[T]) -> T:
        """The answer to one call, sent again where that is safe."""
        return self.run(exchange(call, self.connection.retries))

    def pages(self, call: Call[Page[T]], place: str) -> "Pages[T]":
        """The pages of a list."""
        return Pages(self, call, place)

    def run(self, steps: Steps[T]) -> T:
        """The result of an exchange."""
        outcome: object = None
        with closing(_Effects(self._http, self.connection, self._sleep)) as effects:
            while True:
                try:
                    effect = steps.send(outcome)
                except StopIteration as end:
                    return cast("T", end.value)
                outcome = effects.perform(effect)

    def iterate(self, items: Items[T]) -> Iterator[T]:
        """The items of an exchange, as they come."""
        outcome: object = None
        with closing(_Effects(self._http, self.connection, self._sleep)) as effects:
            while True:
                try:
                    effect = items.send(outcome)
                except StopIteration:
                    return
                if isinstance(effect, Emit):
                    outcome = None
                    yield effect.item
                else:
                    outcome = effects.perform(effect)


class Pages(Generic[T]):
    """A list: iteration fetches its pages one after the other."""

    def __init__(self, client: BlockingClient, call: Call[Page[T]], place: str) -> None:
        self._client = client
        self._call = call
        self._place = place

    def __iter__(self) -> Iterator[T]:
        retries = self._client.connection.retries
        return self._client.iterate(pages(self._call, self._place, retries))

    def page(self) -> Page[T]:
        """The first page alone."""
        return self._client.exchange(self._call)


class _Effects:
    """The effects of one exchange, and the answer that it has left open."""

    def __init__(
        self, http: httpx.Client, connection: Connection, sleep: Callable[[float], None]
    ) -> None:
        self._http = http
        self._connection = connection
        self._sleep = sleep
        self._opened: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())

    def perform(self, effect: Effect) -> Answer | NoAnswer | bytes | None:
        """The outcome to send to the exchange."""
        if isinstance(effect, Pause):
            self._sleep(effect.seconds)
            return None
        try:
            if isinstance(effect, Send | Open):
                return self._send(effect)
            return next(self._chunks, b"")
        except httpx.TransportError as exc:
            return no_answer(exc) if isinstance(effect, Send | Open) else b""

    def _send(self, effect: Send | Open) -> Answer:
        request = self._connection.request(self._http, effect.call)
        if isinstance(effect, Send):
            response = self._http.send(request)
            return answer_of(response, response.content)
        self.close()
        self._opened = response = self._http.send(request, stream=True)
        self._chunks = response.iter_bytes()
        return answer_of(response, b"" if response.is_success else response.read())

    def close(self) -> None:
        """Closes the open answer."""
        if self._opened is not None:
            self._opened.close()
