"""The limiter of one endpoint: slow start, a circuit breaker, a rate. Times in milliseconds."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from gateway.loops.deliveries.wait_queue import PLACES, WaitQueue

MOST_IN_FLIGHT: Final = 32
"""Attempts in flight to an endpoint that takes them. With 8 it gets half of what callers of 64
connections send in: as many are answered in a turn of the event loop as were under way."""
FIRST_IN_FLIGHT: Final = 2
"""Initial concurrency (slow start): many endpoints that hang must not use up every slot."""
BREAKER_FAILURES: Final = 8
"""Failures in a row that open the breaker,"""
BREAKER_WINDOW: Final = 300_000
"""if they came this close together: single deliveries that fail on their schedule do not."""
BURST: Final = 0.1
"""Seconds' worth of the rate that may go at once: a tenth is as fine as the loop looks."""
FIRST_PAUSE: Final = 10_000
LONGEST_PAUSE: Final = 300_000


class EndpointLimiter:
    """Concurrency with slow start, a circuit breaker with a half-open probe, a token bucket.

    It is kept in memory; after a restart it is made anew of what the store knows of an endpoint
    that fails.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.queue: Final = WaitQueue()
        self.is_proven = False
        """Its last answer was a good one."""
        self._limit = FIRST_IN_FLIGHT
        self._is_fast = False
        self._failed_at: deque[int] = deque(maxlen=BREAKER_FAILURES)
        self._pause = 0
        self._closed_until = 0
        self._opened_at = 0
        self._rate: float | None = None
        self._tokens = 0.0
        self._filled_at = 0

    @property
    def breaker_open(self) -> bool:
        """True if the breaker is open or half open: failures do not count then."""
        return self._pause > 0

    @property
    def is_fast(self) -> bool:
        """True if a delivery in its wait queue goes soon: it has the full concurrency, and answers
        before the rows of a waiting delivery are too old."""
        return self._is_fast and self._rate is None and not self.breaker_open

    def mark_slow(self) -> None:
        """A delivery has waited too long for it."""
        self._is_fast = False

    def is_idle(self, now: int) -> bool:
        """True if there is nothing to remember: nothing in flight, no recent failure, breaker
        closed, no rate."""
        is_clean = not self._failed_at or now - self._failed_at[-1] > BREAKER_WINDOW
        is_unused = self.in_flight == 0 and not self.queue
        return is_unused and is_clean and not self.breaker_open and self._rate is None

    def available(self, now: int) -> int:
        """The number of attempts that may start now."""
        if self.breaker_open:
            return int(now >= self.retry_at(now) and self.in_flight == 0 and self._has_token(now))
        left = self._limit - self.in_flight
        return left if self._rate is None else min(left, int(self._fill(now)))

    def has_place(self, now: int) -> bool:
        """True if one more attempt may start, or wait for its turn."""
        left = self.available(now) - len(self.queue)
        return left > (-PLACES if self.is_fast else 0)

    def opens_at(self, now: int) -> int | None:
        """The time at which an attempt may start; None if one in flight, or one that waits, has to
        end before."""
        if self.queue:
            return None
        if self.breaker_open:
            return None if self.in_flight else max(self.retry_at(now), self._token_at(now))
        return None if self.in_flight >= self._limit else self._token_at(now)

    @property
    def opened_at(self) -> int:
        """The time at which the breaker last opened."""
        return self._opened_at

    def restore(self, failed_at: Sequence[int], failing_since: int) -> None:
        """Restore the state before a restart from the failures since the last success, in order.
        A pause is about half the time since the first failure, for each is twice the last."""
        self._limit = 1
        self._failed_at.extend(failed_at)
        if not self._must_open():
            return
        last = self._failed_at[-1]
        self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, (last - failing_since) // 2))
        self._opened_at, self._closed_until = last, last + self._pause

    def reset(self) -> None:
        """Start anew: somebody has changed the endpoint."""
        self._limit = FIRST_IN_FLIGHT
        self._failed_at.clear()
        self._pause = 0

    def start(self, now: int, rate: float | None) -> None:
        """Count one more in flight; `rate` per second, None: unlimited."""
        if rate != self._rate:
            self._rate, self._filled_at = rate, now
            self._tokens = max(1.0, BURST * (rate or 0.0))
        if self._rate is not None:
            self._tokens = self._fill(now) - 1
        self.in_flight += 1

    def succeed(self) -> None:
        """A success doubles the concurrency."""
        self.is_proven = True
        self._limit = min(MOST_IN_FLIGHT, self._limit * 2)
        self._is_fast = self._limit == MOST_IN_FLIGHT
        self._failed_at.clear()
        self._pause = 0

    def fail(self, now: int) -> bool:
        """A failure halves the concurrency; several open the breaker (True: just now)."""
        self._limit = max(1, self._limit // 2)
        self.is_proven = self._is_fast = False
        self._failed_at.append(now)
        if self.breaker_open:
            # Those that were under way when it opened say nothing new.
            if now >= self.retry_at(now):
                self._pause = min(LONGEST_PAUSE, self._pause * 2)
                self._closed_until = now + self._pause
            return False
        if not self._must_open():
            return False
        self.open_breaker(now)
        return True

    def open_breaker(self, now: int) -> None:
        """Open the breaker, or keep it open for twice as long."""
        self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, self._pause * 2))
        self._opened_at, self._closed_until = now, now + self._pause

    def retry_at(self, now: int) -> int:
        """The time of the next attempt while the breaker is open; no clock that was set back makes
        the pause longer."""
        return now if self._closed_until - now > self._pause else max(now, self._closed_until)

    def _must_open(self) -> bool:
        failed = self._failed_at
        return len(failed) == BREAKER_FAILURES and failed[-1] - failed[0] <= BREAKER_WINDOW

    def _fill(self, now: int) -> float:
        rate = self._rate or 0.0
        grown = self._tokens + max(0, now - self._filled_at) * rate / 1000
        self._tokens, self._filled_at = min(max(1.0, BURST * rate), grown), now
        return self._tokens

    def _has_token(self, now: int) -> bool:
        return self._rate is None or self._fill(now) >= 1

    def _token_at(self, now: int) -> int:
        if self._rate is None or self._fill(now) >= 1:
            return now
        return now + int((1 - self._tokens) / self._rate * 1000) + 1
