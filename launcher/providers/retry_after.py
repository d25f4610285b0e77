"""How long a server asks to be left alone, in every form that headers say it.

`Retry-After` and `X-RateLimit-Reset` come with a suffix where a server has several limits
(Daytona: `Retry-After-sandbox-create`); a value is seconds, a date, or seconds since the epoch.
"""

import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

_RETRY: Final = "retry-after"
_RESET: Final = "x-ratelimit-reset"
_REMAINING: Final = "x-ratelimit-remaining"
_EPOCH: Final = 1_000_000_000
"""A larger number of seconds is a moment, not a duration."""


def seconds_to_wait(headers: Mapping[str, str], now: float | None = None) -> float:
    """Seconds until the next try may succeed; 0: the headers do not say. `now` (seconds since the
    epoch) is the server's own clock where it tells it."""
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    here = _moment(lowered.get("date", "")) or (time.time() if now is None else now)
    waits = list(_waits(lowered, _RETRY, here)) or list(_resets(lowered, here))
    return max((0.0, *waits))


def _waits(headers: Mapping[str, str], prefix: str, here: float) -> Iterator[float]:
    for name, value in headers.items():
        if _is_of(name, prefix) and (seconds := _seconds(value, here)) is not None:
            yield seconds


def _resets(headers: Mapping[str, str], here: float) -> Iterator[float]:
    """Those of the limits that are used up; a limit that does not say how much is left may be."""
    for name, value in headers.items():
        left = headers.get(f"{_REMAINING}{name.removeprefix(_RESET)}", "0")
        if _is_of(name, _RESET) and left == "0":
            seconds = _seconds(value, here)
            if seconds is not None:
                yield seconds


def _is_of(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}-")


def _seconds(value: str, here: float) -> float | None:
    if value.replace(".", "", 1).isdecimal() and value.isascii() and len(value) <= 20:
        number = float(value)
        return number if number < _EPOCH else number - here
    moment = _moment(value)
    return None if moment is None else moment - here


def _moment(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
