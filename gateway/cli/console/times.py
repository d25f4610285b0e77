"""Times for people: in the zone of this machine, with its name; and periods that they type."""

import re
from datetime import UTC, datetime
from typing import Final

import typer

from gateway.domain.explain.formatting import clock, duration
from gateway.wire.times import milliseconds, parse_rfc3339

_SHORT: Final = ((86_400, "d"), (3_600, "h"), (60, "m"))
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_PERIOD: Final = re.compile(r"([0-9]{1,6})([smhd]?)")


def seconds(text: str) -> int:
    """`90`, `90s`, `30m`, `2h` or `1d`, in seconds."""
    found = _PERIOD.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a time such as 90s, 30m, 2h or 1d")
    return int(found[1]) * _SECONDS[found[2]]


def now() -> int:
    """Milliseconds since the epoch."""
    return milliseconds(datetime.now(UTC))


def zone() -> str:
    """The name of this machine's zone, such as `UTC` or `CET`."""
    return datetime.now().astimezone().tzname() or "local"


def local(text: str | None) -> str:
    """`2026-01-05T09:30:00.000Z` as `2026-01-05 10:30:00`; as it is, if it is no time."""
    parsed = parse_rfc3339(text or "")
    return (text or "") if parsed is None else f"{parsed.astimezone():%Y-%m-%d %H:%M:%S}"


def zoned(text: str | None) -> str:
    """`2026-01-05 10:30:00 CET`; empty without a time."""
    return f"{local(text)} {zone()}" if text else ""


def local_time(text: str) -> str:
    """The time of the day, with milliseconds."""
    parsed = parse_rfc3339(text)
    return text[11:23] if parsed is None else f"{parsed.astimezone():%H:%M:%S.%f}"[:12]


def age(text: str | None, at: int) -> str:
    """The time since a moment in a few characters: `40s`, `6m`, `3h`, `5d`."""
    parsed = parse_rfc3339(text or "")
    if parsed is None:
        return ""
    seconds = max(0, at - milliseconds(parsed)) // 1_000
    for unit, name in _SHORT:
        if seconds >= unit:
            return f"{seconds // unit}{name}"
    return f"{seconds}s"


def until(text: str, at: int) -> tuple[str, str]:
    """A moment, with the date on another day, and the time that is left until it."""
    parsed = parse_rfc3339(text)
    if parsed is None:
        return text, ""
    due = milliseconds(parsed)
    is_today = len(clock(due, at)) == len("02:11")
    moment = local(text)
    return (moment[11:] if is_today else moment[:16]), (
        f"in {duration(due - at)}" if due > at else "now"
    )
