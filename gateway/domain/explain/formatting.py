"""Texts for times (UTC), durations, quotations, and the state of a task."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from gateway.domain.explain.explanation import ExplainInput, sandbox_realm
from gateway.domain.launching.launch import RELAUNCH_BACKOFF
from gateway.domain.operations.switches import ALL, Pause

SHORT: Final = 160
"""Characters of a quotation; its event contains the whole text."""
_SECOND: Final = 1_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def clock(at: int, now: int) -> str:
    """`02:11`, or `2026-09-20 02:11` on another day than now (both in milliseconds)."""
    time, today = (datetime.fromtimestamp(each // _SECOND, UTC) for each in (at, now))
    return f"{time:%H:%M}" if time.date() == today.date() else f"{time:%Y-%m-%d %H:%M}"


def second(at: int, now: int) -> str:
    """The time with seconds, for evidence."""
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


def paused(pause: Pause, now: int) -> str:
    """`launching is paused for all projects since 02:11 (6 min) by key:1: maintenance`."""
    scope = "for all projects" if pause.project == ALL else f"for project {pause.project}"
    scope = f"at {pause.provider}" if pause.provider else scope
    end = "" if pause.until is None else f" until {clock(pause.until, now)}"
    beginning = since(pause.since, now)
    return (
        f"{pause.switch} is paused {scope} {beginning}{end} by {pause.actor}: {bare(pause.reason)}"
    )


def future(at: int, now: int) -> str:
    """`at 02:40 (in 23 min)`, or `now`."""
    return "now" if at <= now else f"at {clock(at, now)} (in {duration(at - now)})"


def short(text: str, limit: int = SHORT) -> str:
    """A quotation on one line, without control characters."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(plain.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def bare(text: str, limit: int = SHORT) -> str:
    """A quotation without its full stop, for use inside a sentence."""
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


LAUNCHES: Final = len(RELAUNCH_BACKOFF) + 1
"""Maximum launches of an attempt."""


def state(s: ExplainInput) -> str:
    """`running`, or `running (attempt 2 of 3)`."""
    task = s.task
    text = task.status.value.replace("_", " ")
    if task.attempt == 1:
        return text
    of = f" of {task.max_attempts}" if task.attempt <= task.max_attempts else ""
    return f"{text} (attempt {task.attempt}{of})"


def wanted_realm(s: ExplainInput) -> str:
    """The only realm or provider that may launch it; empty: any."""
    attempt = s.attempt
    if attempt is not None and attempt.realm is not None:
        return sandbox_realm(attempt)
    return s.task.provider or ""


def no_launcher(s: ExplainInput, where: str) -> str:
    """No launcher is live there; right after the start of the gateway none could be."""
    who = f"no launcher of {where}" if where else "no launcher"
    if s.has_just_started:
        ago = duration(s.now - s.policy.started_at)
        return f"{who} has called since the gateway started {ago} ago"
    return f"{who} is live"


def wrong_snapshot(s: ExplainInput) -> tuple[str, ...]:
    """The difference between the requested and the running snapshot, if there is one."""
    flag = s.flag("wrong_snapshot")
    if flag is None:
        return ()
    detail = f": {bare(flag.detail)}" if flag.detail else ""
    return (f"its sandbox is not what was asked for{detail}",)


def next_attempt(s: ExplainInput, *, may_retry: bool = True) -> str | None:
    """`attempt 2 of 3 follows`, if a retryable error would open one."""
    task = s.task
    if not may_retry or task.attempt >= task.max_attempts:
        return None
    return f"attempt {task.attempt + 1} of {task.max_attempts} follows"


def retries_stalls(s: ExplainInput) -> bool:
    """True if silence and the run clock are retryable failures."""
    return s.task.on_stall == "retry"
