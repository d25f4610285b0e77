"""The network: calls are lost, late, doubled and overtaken, and whoever waits does not know why."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from gateway.domain.kernel.errors import ApiError
from tests.simulation.choices import Stream
from tests.simulation.faults import Faults
from tests.simulation.handlers import Handlers
from tests.simulation.scheduler import Process, Scheduler

T = TypeVar("T")

DELAYS: Final = (0.001, 0.002, 0.005, 0.02)
LATE: Final = (1.0, 4.0, 20.0, 70.0, 200.0)
CUT_OFF: Final = (10.0, 100.0, 400.0)
REFUSED: Final = 0.001
"""Seconds until a caller learns that nobody listens."""
LOST_AFTER: Final = 30.0
"""Seconds until even a patient caller gives up an answer that was lost."""


class Lost(Exception):
    """No answer came: the request, or its answer, is somewhere between done and never heard."""


class Servers(Protocol):
    """All who answer, behind one address."""

    @property
    def back_at(self) -> float:
        """The time at which one of them runs again (seconds)."""

    def pick(self, answer: asyncio.Future[Any]) -> Handlers:
        """The one that a call reaches."""


Request = Callable[[Handlers], Awaitable[T]]


class Network:
    """Carries calls to one of the servers, which may be down, and its answers back."""

    def __init__(self, scheduler: Scheduler, servers: Servers, faults: Faults) -> None:
        self._scheduler = scheduler
        self._servers = servers
        self._faults = faults
        self._cut_until: dict[str, float] = {}

    async def pause(self, caller: Process, seconds: float) -> None:
        """So long, and on for as long as the caller would be refused at once: repeating itself in
        vain changes nothing and is left out."""
        now = self._scheduler.time()
        reached = max(self._servers.back_at, self._cut_until.get(caller.name, 0.0))
        await asyncio.sleep(max(seconds, reached - now))

    def repair(self) -> None:
        """Nobody is cut off any more."""
        self._cut_until.clear()

    async def call(
        self,
        caller: Process,
        choices: Stream,
        request: Request[T],
        *,
        seconds: float,
        waits: bool = False,
    ) -> T:
        """The result of the request. One that `waits` is held by the server until there
        is something to say: that it is asked anew now and then is left out.

        Raises:
            Lost: no answer within so many seconds, or the connection broke.
        """
        loop, faults = self._scheduler, self._faults
        answer: asyncio.Future[T] = loop.create_future()
        if self._is_cut_off(caller, choices):
            await asyncio.sleep(REFUSED)
            raise Lost
        delay = self._delay(choices)
        is_lost = choices.happens(faults.lost_request)
        if not is_lost:
            loop.call_later(delay, self._arrive, choices, request, answer)
        if choices.happens(faults.duplicated):
            late = delay + self._delay(choices)
            loop.call_later(late, self._arrive, choices, request, loop.create_future())
        expiry = None if waits and not is_lost else loop.call_later(seconds, break_off, answer)
        try:
            return await answer
        finally:
            if expiry is not None:
                expiry.cancel()

    def _is_cut_off(self, caller: Process, choices: Stream) -> bool:
        now = self._scheduler.time()
        if self._faults.cut_off == 0:
            return False
        if choices.happens(self._faults.cut_off):
            self._cut_until[caller.name] = now + choices.pick(CUT_OFF)
        return now < self._cut_until.get(caller.name, 0.0)

    def _delay(self, choices: Stream) -> float:
        if choices.happens(self._faults.late):
            return choices.pick(LATE)
        return choices.pick(DELAYS)

    def _arrive(self, choices: Stream, request: Request[T], answer: asyncio.Future[T]) -> None:
        server = self._servers.pick(answer)
        if server.process.is_alive:
            work = self._serve(choices, server, request, answer)
            server.process.spawn(work, killed=partial(self._lose, answer))
        else:
            self._scheduler.call_later(REFUSED, break_off, answer)

    def _lose(self, answer: asyncio.Future[Any]) -> None:
        """A server that died, perhaps before it began, answers nobody."""
        self._scheduler.call_later(REFUSED, break_off, answer)

    async def _serve(
        self, choices: Stream, server: Handlers, request: Request[T], answer: asyncio.Future[T]
    ) -> None:
        try:
            outcome: T | ApiError = await request(server)
        except ApiError as refusal:
            outcome = refusal
        if choices.happens(self._faults.lost_answer):
            self._scheduler.call_later(LOST_AFTER, break_off, answer)
        else:
            self._scheduler.call_later(self._delay(choices), _resolve, answer, outcome)


def break_off(answer: asyncio.Future[Any]) -> None:
    """Its caller waits no longer."""
    _resolve(answer, Lost())


def _resolve(answer: asyncio.Future[Any], outcome: object) -> None:
    if answer.done():
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
        answer.exception()  # seen: nobody waits for the answer to a double
    else:
        answer.set_result(outcome)
