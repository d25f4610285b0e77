"""The gate of an endpoint: how much may go through to it just now. Moments in milliseconds."""

from collections import deque
from typing import Final

FULL_ROOM: Final = 8
"""Attempts in flight to an endpoint that takes them."""
FIRST_ROOM: Final = 2
"""So many to one of which nothing is known yet: many that hang must not take all places."""
TRIPS_AT: Final = 8
"""Failures in a row that open the breaker,"""
TRIPS_WITHIN: Final = 300_000
"""if they came this close together: single deliveries that fail on their schedule do not."""
BURST: Final = 0.1
"""Seconds' worth of the rate that may go at once: a tenth is as fine as the loop looks."""
FIRST_PAUSE: Final = 10_000
LONGEST_PAUSE: Final = 300_000


class Gate:
    """Room in flight, a circuit breaker with a half-open probe, and a token bucket.

    It is kept in memory: after a restart a dead endpoint costs a few attempts until it is known
    again. Since when it fails is kept in the store.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self._room = FIRST_ROOM
        self._failed_at: deque[int] = deque(maxlen=TRIPS_AT)
        self._pause = 0
        self._closed_until = 0
        self._rate: float | None = None
        self._tokens = 0.0
        self._filled_at = 0

    @property
    def is_tripped(self) -> bool:
        """Whether the breaker is open, or half open: nothing is counted, nothing is parked."""
        return self._pause > 0

    @property
    def is_plain(self) -> bool:
        """Whether nothing is to be remembered of it."""
        is_proven = not self._failed_at and not self.is_tripped
        return self.in_flight == 0 and is_proven and self._rate is None

    def room(self, now: int) -> int:
        """How many attempts may start now."""
        if self.is_tripped:
            return int(now >= self._closed_until and self.in_flight == 0 and self._has_token(now))
        left = self._room - self.in_flight
        return left if self._rate is None else min(left, int(self._fill(now)))

    def opens_at(self, now: int) -> int | None:
        """When there is room without anything landing before; None: when something lands."""
        if self.is_tripped:
            return None if self.in_flight else max(self._closed_until, self._token_at(now))
        return None if self.in_flight >= self._room else self._token_at(now)

    def start(self, now: int, rate: float | None) -> None:
        """An attempt sets off; `rate` per second, None: as many as there is room for."""
        if rate != self._rate:
            self._rate, self._filled_at = rate, now
            self._tokens = max(1.0, BURST * (rate or 0.0))
        if self._rate is not None:
            self._tokens = self._fill(now) - 1
        self.in_flight += 1

    def succeed(self) -> None:
        """It has answered well: twice as much may go."""
        self._room = min(FULL_ROOM, self._room * 2)
        self._failed_at.clear()
        self._pause = 0

    def fail(self, now: int) -> bool:
        """It has not: half as much may go, and in the end nothing for a while. True: the breaker
        has just opened."""
        self._room = max(1, self._room // 2)
        self._failed_at.append(now)
        if self.is_tripped:
            # Those that were under way when it opened say nothing new.
            if now >= self._closed_until:
                self._pause = min(LONGEST_PAUSE, self._pause * 2)
                self._closed_until = now + self._pause
            return False
        is_storm = len(self._failed_at) == TRIPS_AT and now - self._failed_at[0] <= TRIPS_WITHIN
        if is_storm:
            self._pause = FIRST_PAUSE
            self._closed_until = now + self._pause
        return is_storm

    def retry_at(self, now: int) -> int:
        """When what failed while the breaker was open may go again."""
        return max(now, self._closed_until)

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
