"""Times in messages: RFC 3339, UTC, milliseconds.

Inside slipgate a time is an `int` of milliseconds since the Unix epoch: SQLite compares and indexes
it, and arithmetic cannot mix time zones.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Final

import msgspec

_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)
"""Stricter than Python, which reads weeks, dates without separators, times without a zone."""

Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""A text made by `rfc3339`."""


def rfc3339(at: int) -> str:
    """`1790000000123` → `"2026-09-21T14:13:20.123Z"`."""
    seconds, milliseconds = divmod(at, 1000)
    return f"{_to_the_second(seconds)}.{milliseconds:03d}Z"


# Most times are of the same few seconds; strftime takes ten times as long as a look-up.
@lru_cache(maxsize=1024)
def _to_the_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def maybe_rfc3339(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def milliseconds(moment: datetime) -> int:
    """An aware datetime as milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)


def parse_rfc3339(text: str) -> datetime | None:
    """An aware datetime, or None if the text is not one."""
    if not _RFC3339.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None
