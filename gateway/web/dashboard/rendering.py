"""Templates: everything is escaped, times are shown with their age, and undefined names fail."""

import hashlib
from collections.abc import Mapping
from datetime import UTC
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.domain.deliveries.reasons import ADVICE
from gateway.wire.times import parse_rfc3339, rfc3339

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER: Final = Path(__file__).parent
STATIC: Final = _FOLDER / "static"
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
OUTCOMES: Final = {
    "completed": "good",
    "needs_review": "look",
    "failed": "bad",
    "timed_out": "bad",
    "expired": "bad",
    "cancelled": "idle",
    "queued": "wait",
    "launching": "wait",
    "running": "live",
    "delivered": "good",
    "pending": "wait",
    "held": "look",
    "dead": "bad",
    "superseded": "idle",
    "done": "good",
    "aborted": "look",
}
"""The tone of a state, which the stylesheet knows; the word stands beside it."""


def render(template: str, variables: Mapping[str, object]) -> str:
    """A page as HTML."""
    return _environment().get_template(template).render(variables)


@cache
def _environment() -> "Environment":
    # Imported on demand: nobody who only runs tasks should pay for it at the start.
    from jinja2 import (  # noqa: PLC0415
        Environment,
        FileSystemLoader,
        StrictUndefined,
    )

    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"ago": ago, "span": span, "moment": moment, "tone": tone, "iso": iso}
    environment.filters["advice"] = advice
    environment.globals |= {"static": static}
    return environment


@cache
def static(name: str) -> str:
    """The address of a file of ours; it changes with the file, so that browsers keep it."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/dashboard/static/{name}?v={digest}"


def advice(reason: str | None) -> str:
    """The way to mend a failed attempt; empty where only its answer tells."""
    return ADVICE.get(reason or "", "")


def tone(state: str) -> str:
    return OUTCOMES.get(state, "idle")


def span(seconds: float) -> str:
    """A duration in its largest unit, with the next one where that says more: `3 min 20 s`."""
    left = max(0, round(seconds))
    for (size, name), smaller in zip(_UNITS, (*_UNITS[1:], (0, "")), strict=True):
        if left >= size:
            rest = (left % size) // smaller[0] if smaller[0] else 0
            return f"{left // size} {name}" + (f" {rest} {smaller[1]}" if rest else "")
    return "0 s"


def ago(text: str | None, now: int) -> str:
    """The age of a moment, or the time until it; empty for none. `now` in milliseconds."""
    at = None if text is None else parse_rfc3339(text)
    if at is None:
        return ""
    seconds = now / 1000 - at.timestamp()
    return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"


def moment(text: str | None) -> str:
    """A moment to the second, in UTC: `30 Nov 06:01:22`."""
    at = None if text is None else parse_rfc3339(text)
    return "" if at is None else f"{at.astimezone(UTC):%-d %b %H:%M:%S}"


def iso(at: int) -> str:
    """Milliseconds as RFC 3339."""
    return rfc3339(at)
