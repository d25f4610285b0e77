"""How much one API key may ask for: its rate limit, and the rule that counts.

The rule is the generic cell rate algorithm (ITU-T I.371): one number per key, and no timer.
"""

import math
from typing import Final

import msgspec

MAX_RATE: Final = 100_000
MAX_CONCURRENT: Final = 100_000


class RateLimit(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The rate limit of a key, as it is stored and shown."""

    requests_per_second: float | None = None
    """None: no limit of the rate."""
    burst: int | None = None
    """Requests that may come at once; None: those of one second."""
    concurrent: int | None = None
    """Requests that may be open at once, long polls and streams among them; None: the default."""

    @property
    def most_at_once(self) -> int:
        """The burst that holds."""
        return self.burst or math.ceil(self.requests_per_second or 1)


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one request; all times in seconds."""

    is_within: bool
    due_at: float
    """The theoretical arrival time: when a request on the even rate would come next."""
    remaining: int
    """Requests that may still come at once."""
    resets_in: float
    """Until the whole burst may come again."""
    retry_in: float = 0.0
    """Until one more may come."""


def pace_of(limit: RateLimit, rate: float, due_at: float, now: float) -> Pace:
    """The answer to a request at `now` under this rate, after those that led to `due_at`."""
    interval = 1 / rate
    window = interval * limit.most_at_once
    begun = max(due_at, now)
    after = begun + interval
    left = window - (after - now)
    # A sum of many intervals is not exactly their product.
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
