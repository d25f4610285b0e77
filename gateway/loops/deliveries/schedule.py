"""The schedule of a delivery that failed. Source: Standard Webhooks, the example schedule."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from gateway.wire.times import milliseconds

_SECOND: Final = 1_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE

SCHEDULE: Final = (
    0,
    5 * _SECOND,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)
"""Milliseconds before each attempt, counted from the one before."""
JITTER: Final = 0.2
LONGEST_RETRY_AFTER: Final = _HOUR


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Time and chance as the deliverer knows them."""

    clock: Callable[[], int]
    """Unix milliseconds."""
    random: Callable[[], float]
    """0 … 1."""
    schedule: Sequence[int] = SCHEDULE
    is_stopping: Callable[[], bool] = lambda: False
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def next_attempt_at(
    attempts: int,
    now: int,
    random: Callable[[], float],
    retry_after: int | None = None,
    *,
    schedule: Sequence[int] = SCHEDULE,
) -> int | None:
    """The time of the next attempt after `attempts` failed ones; None: the delivery is dead.

    `random` gives 0 … 1; `retry_after` is what the receiver asked for, in milliseconds.
    """
    if attempts >= len(schedule):
        return None
    planned = schedule[attempts] * (1 + JITTER * (2 * random() - 1))
    asked = min(retry_after or 0, LONGEST_RETRY_AFTER)
    return now + max(round(planned), asked)


def read_retry_after(header: str, now: int) -> int | None:
    """`Retry-After`, seconds or a date, as milliseconds from now; None if it is neither."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return int(text[:9]) * _SECOND
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0, milliseconds(moment) - now)
