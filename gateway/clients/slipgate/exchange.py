"""Exchanges without input and output: which request follows which answer, and after which pause.

A generator yields effects and is sent their results. The blocking and the awaiting client perform
them, and hold no logic of their own.
"""

import math
import random
import time
from collections.abc import Callable, Generator
from typing import Any, Final, Generic, TypeVar

import msgspec

from gateway.wire.problem import Problem
from slipgate.call import Answer, Call, NoAnswer
from slipgate.errors import ConnectionFailed, SlipgateError, error_of

T = TypeVar("T")

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
"""Seconds, both: each pause is twice the one before."""
REFUSED: Final = frozenset({429, 503})
"""Statuses of a gateway that has stored nothing: even a change may be sent again."""
FROM_PROXIES: Final = frozenset({502, 503, 504})
"""Statuses of something before the gateway, which may have passed the request on."""
_OPTIONAL: Final = {"type": "about:blank", "title": "", "requestId": ""}
"""Fields that a problem may lack (RFC 9457)."""


class Send(msgspec.Struct, frozen=True):
    """Send a request; the result is an `Answer` or a `NoAnswer`."""

    call: Call[Any]


class Open(msgspec.Struct, frozen=True):
    """Send a request and leave its answer open, in place of any that was; a success is an `Answer`
    without content."""

    call: Call[Any]


class Read(msgspec.Struct, frozen=True):
    """Read from the open answer; no bytes: it has ended."""


class Pause(msgspec.Struct, frozen=True):
    """Wait (seconds)."""

    seconds: float


class Emit(msgspec.Struct, Generic[T], frozen=True):
    """Hand an item to the caller."""

    item: T


Effect = Send | Open | Read | Pause
Steps = Generator[Effect, Any, T]
Items = Generator[Effect | Emit[T], Any, None]


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """The rules by which requests are sent again."""

    seconds: float
    """The time after which a request is given up."""
    clock: Callable[[], float] = time.monotonic
    spread: Callable[[], float] = random.random
    """0 … 1: clients that fail together do not come back together."""


class Attempts:
    """The attempts of one request: each failure is either raised or followed by a pause."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self.begin()

    def begin(self) -> None:
        """Forgets all failures: something has come."""
        self._end = self._retries.clock() + self._retries.seconds
        self._pause = FIRST_PAUSE

    def pause_after(self, call: Call[Any], outcome: Answer | NoAnswer) -> Pause:
        """The pause before the next attempt.

        Raises:
            SlipgateError: there is to be none.
        """
        error, may_repeat = judge(call, outcome)
        seconds = self._pause * (0.5 + self._retries.spread() / 2)
        if isinstance(outcome, Answer):
            seconds = max(seconds, _retry_after(outcome))
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        if not may_repeat or self._retries.clock() + seconds > self._end:
            raise error
        return Pause(seconds)


def exchange(call: Call[T], retries: Retries) -> Steps[T]:
    """One call with its repetitions; all have the same Idempotency-Key."""
    attempts = Attempts(retries)
    while True:
        outcome = yield Send(call)
        if isinstance(outcome, Answer) and outcome.is_success:
            return call.decode(outcome)
        yield attempts.pause_after(call, outcome)


def judge(call: Call[Any], outcome: Answer | NoAnswer) -> tuple[SlipgateError, bool]:
    """The error of a failed attempt; True if another may follow."""
    where = f"{call.method} {call.path}"
    if isinstance(outcome, NoAnswer):
        may_repeat = call.is_repeatable or not outcome.was_sent
        return ConnectionFailed(f"{where}: {outcome.reason}"), may_repeat
    problem = _problem_in(outcome)
    if problem is not None:
        return error_of(problem), outcome.status in REFUSED
    message = f"{where}: HTTP {outcome.status}, and not in the form of a slipgate gateway"
    return ConnectionFailed(message), call.is_repeatable and outcome.status in FROM_PROXIES


def _problem_in(answer: Answer) -> Problem | None:
    try:
        fields = msgspec.json.decode(answer.content, type=dict[str, object])
        return msgspec.convert(_OPTIONAL | fields, Problem)
    except msgspec.MsgspecError:
        return None


def _retry_after(answer: Answer) -> float:
    """Seconds; a date, which gateways never send, counts as absent."""
    text = answer.headers.get("retry-after", "")
    seconds = float(text) if text.isdecimal() else 0.0
    return seconds if math.isfinite(seconds) else 0.0
