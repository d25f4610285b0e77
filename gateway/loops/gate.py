"""The gate of an endpoint: how much may go through to it just now. Moments in milliseconds."""

from collections import deque
from collections.abc import Sequence
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

    It is kept in memory; after a restart it is made anew of what the store knows of an endpoint
    that fails.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self._room = FIRST_ROOM
        self._is_brisk = False
        self._failed_at: deque[int] = deque(maxlen=TRIPS_AT)
        self._pause = 0
        self._closed_until = 0
        self._opened_at = 0
        self._rate: float | None = None
        self._tokens = 0.0
        self._filled_at = 0

    @property
    def is_tripped(self) -> bool:
        """Whether the breaker is open, or half open: nothing is counted, nothing is parked."""
        return self._pause > 0

    @property
    def is_brisk(self) -> bool:
        """Whether what waits before it will go soon: it takes all there is room for, and answers
        each before anybody loses patience."""
        return self._is_brisk and self._rate is None and not self.is_tripped

    def tire(self) -> None:
        """Somebody has lost patience."""
        self._is_brisk = False

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

    @property
    def opened_at(self) -> int:
        """When the breaker last opened."""
        return self._opened_at

    def recall(self, failed_at: Sequence[int], failing_since: int) -> None:
        """What it would know had there been no restart: its last failures, oldest first, with no
        success since then. A pause is about half as long as it has been failing: each is twice the
        one before."""
        self._room = 1
        self._failed_at.extend(failed_at)
        if not self._is_storm():
            return
        last = self._failed_at[-1]
        self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, (last - failing_since) // 2))
        self._opened_at, self._closed_until = last, last + self._pause

    def reset(self) -> None:
        """Somebody has changed something about it: it is as good as new, but for what it takes."""
        self._room = FIRST_ROOM
        self._failed_at.clear()
        self._pause = 0

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
        self._is_brisk = self._room == FULL_ROOM
        self._failed_at.clear()
        self._pause = 0

    def fail(self, now: int) -> bool:
        """It has not: half as much may go, and in the end nothing for a while. True: the breaker
        has just opened."""
        self._room = max(1, self._room // 2)
        self._is_brisk = False
        self._failed_at.append(now)
        if self.is_tripped:
            # Those that were under way when it opened say nothing new.
            if now >= self._closed_until:
                self._pause = min(LONGEST_PAUSE, self._pause * 2)
                self._closed_until = now + self._pause
            return False
        if not self._is_storm():
            return False
        self._pause = FIRST_PAUSE
        self._opened_at, self._closed_until = now, now + self._pause
        return True

    def retry_at(self, now: int) -> int:
        """When what failed while the breaker was open may go again."""
        return max(now, self._closed_until)

    def _is_storm(self) -> bool:
        failed = self._failed_at
        return len(failed) == TRIPS_AT and failed[-1] - failed[0] <= TRIPS_WITHIN

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
