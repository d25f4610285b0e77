"""The pause that a server asks for by its headers.

`Retry-After` and `X-RateLimit-Reset` have a suffix if a server has several limits (Daytona:
`Retry-After-sandbox-create`); a value is seconds, a date, or seconds since the epoch.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from gateway.wire.times import parse_rfc3339
from launcher.client import Sleep

LIMITED: Final = 429
_RETRY: Final = "retry-after"
_RESET: Final = "x-ratelimit-reset"
_REMAINING: Final = "x-ratelimit-remaining"
_EPOCH: Final = 1_000_000_000
"""A larger number is a time in seconds, not a duration."""
_MILLISECONDS: Final = 100_000_000_000
"""A larger number is a time in milliseconds."""


async def repeated_once(
    send: Callable[[], Awaitable[httpx.Response]], *, longest: float, sleep: Sleep
) -> httpx.Response:
    """The response to a call, which is repeated if a rate limit asks for a wait of at most so many
    seconds."""
    response = await send()
    wait = seconds_to_wait(response.headers) if response.status_code == LIMITED else 0.0
    if not 0 < wait <= longest:
        return response
    await sleep(wait)
    return await send()


def seconds_to_wait(headers: Mapping[str, str], now: float | None = None) -> float:
    """Seconds until the next attempt may succeed; 0 if the headers do not say. `now` is seconds
    since the epoch; a date of the response wins."""
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    here = _timestamp(lowered.get("date", "")) or (time.time() if now is None else now)
    waits = list(_waits(lowered, _RETRY, here)) or list(_resets(lowered, here))
    return max((0.0, *waits))


def _waits(headers: Mapping[str, str], prefix: str, here: float) -> Iterator[float]:
    for name, value in headers.items():
        if _is_of(name, prefix) and (seconds := _seconds(value, here)) is not None:
            yield seconds


def _resets(headers: Mapping[str, str], here: float) -> Iterator[float]:
    """Resets of the exhausted limits, and of those without a remaining count."""
    for name, value in headers.items():
        left = headers.get(f"{_REMAINING}{name.removeprefix(_RESET)}", "0")
        is_exhausted = _is_of(name, _RESET) and left == "0"
        if is_exhausted and (seconds := _seconds(value, here)) is not None:
            yield seconds


def _is_of(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}-")


def _seconds(value: str, here: float) -> float | None:
    if value.replace(".", "", 1).isdecimal() and value.isascii() and len(value) <= 20:
        number = float(value)
        number = number / 1000 if number > _MILLISECONDS else number
        return number if number < _EPOCH else number - here
    timestamp = _timestamp(value)
    return None if timestamp is None else timestamp - here


def _timestamp(value: str) -> float | None:
    if (moment := parse_rfc3339(value)) is not None:
        return moment.timestamp()
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
