"""Moments, durations and other people's words as a tired person reads them; all times are UTC."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

SHORT: Final = 160
"""Characters of an agent's or a provider's own words; the whole text stands in its event."""
_SECOND: Final = 1_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def clock(at: int, now: int) -> str:
    """`02:11`, or `2026-09-20 02:11` on another day than now (both in milliseconds)."""
    moment, today = (datetime.fromtimestamp(each // _SECOND, UTC) for each in (at, now))
    return f"{moment:%H:%M}" if moment.date() == today.date() else f"{moment:%Y-%m-%d %H:%M}"


def second(at: int, now: int) -> str:
    """The same to the second, for evidence."""
    return f"{clock(at, now)}:{at // _SECOND % 60:02d}"


def duration(milliseconds: int) -> str:
    """`40 s`, `6 min`, `3 h 20 min`, `5 days`."""
    if milliseconds < _MINUTE:
        return f"{max(0, milliseconds) // _SECOND} s"
    if milliseconds < _HOUR:
        return f"{milliseconds // _MINUTE} min"
    if milliseconds < 2 * _DAY:
        hours, minutes = milliseconds // _HOUR, milliseconds % _HOUR // _MINUTE
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{milliseconds // _DAY} days"


def since(at: int, now: int) -> str:
    """`since 02:11 (6 min)`."""
    return f"since {clock(at, now)} ({duration(now - at)})"


def past(at: int, now: int) -> str:
    """`at 02:11 (6 min ago)`."""
    return f"at {clock(at, now)} ({duration(now - at)} ago)"


def future(at: int, now: int) -> str:
    """`at 02:40 (in 23 min)`; a moment that has come is `now`."""
    return "now" if at <= now else f"at {clock(at, now)} (in {duration(at - now)})"


def short(text: str, limit: int = SHORT) -> str:
    """Somebody's words on one line, without what could steer a terminal."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join(plain.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def bare(text: str, limit: int = SHORT) -> str:
    """The same without its full stop, to stand inside a sentence."""
    return short(text, limit).rstrip(".")


def inside(text: str) -> str:
    """A sentence as part of another: `No launcher took it.` → `no launcher took it`."""
    line = bare(text)
    return f"{line[:1].lower()}{line[1:]}" if line[1:2].islower() or line[1:2] == " " else line


def count(number: int, noun: str) -> str:
    """`1 event`, `3 events`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def tries(number: int) -> str:
    """`1 try`, `3 tries`."""
    return "1 try" if number == 1 else f"{number} tries"


def listed(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
