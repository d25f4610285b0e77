"""The rate limit of an API key.

Source: the generic cell rate algorithm (ITU-T I.371): one number per key, and no timer.
"""

import math

import msgspec


class RateLimit(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The limits of a key, as stored and shown."""

    requests_per_second: float | None = None
    """None: unlimited."""
    burst: int | None = None
    """Requests that may arrive at once; None: those of one second."""
    concurrent: int | None = None
    """Open requests, long polls and streams included; None: the default."""

    @property
    def most_at_once(self) -> int:
        return self.burst or math.ceil(self.requests_per_second or 1)


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The decision on one request; times in seconds."""

    is_within: bool
    due_at: float
    """The theoretical arrival time of the next request at an even rate."""
    remaining: int
    """Requests left of the burst."""
    resets_in: float
    """Time until the whole burst is available again."""
    retry_in: float = 0.0
    """Time until one more request is allowed."""


def pace_of(limit: RateLimit, rate: float, due_at: float, now: float) -> Pace:
    """The decision on a request at `now`; `due_at` is the value of the previous decision."""
    interval = 1 / rate
    window = interval * limit.most_at_once
    begun = max(due_at, now)
    after = begun + interval
    left = window - (after - now)
    # The tolerance is for rounding: a sum of many intervals is not exactly their product.
    if left < -interval * 1e-6:
        return Pace(
            is_within=False, due_at=begun, remaining=0, resets_in=begun - now, retry_in=-left
        )
    return Pace(
        is_within=True,
        due_at=after,
        remaining=max(0, math.floor(left * rate + 1e-6)),
        resets_in=after - now,
    )
