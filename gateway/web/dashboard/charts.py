"""Charts as SVG: plain numbers in, markup that needs no script and no colours of its own out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from markupsafe import Markup, escape

from gateway.domain.operations.history import HOURS, Durations, Ends
from gateway.domain.operations.status import HOUR
from gateway.web.dashboard.rendering import span, tone

WIDTH, HEIGHT, GAP = 720, 120, 4
"""Of the drawing; the page scales it."""
ORDER: Final = ("good", "look", "idle", "bad")
"""Tones from the bottom of a bar to its top."""
WORDS: Final = {"good": "completed", "look": "to review", "idle": "cancelled", "bad": "failed"}
RECT: Final = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
_SHARES: Final = ((0.5, "half"), (0.95, "19 of 20"))


def ends_chart(ends: Iterable[Ends], now: int) -> Markup:
    """Bars: tasks that ended in each of the last 24 hours, by outcome; `now` in milliseconds."""
    last = now // HOUR
    hours: dict[int, dict[str, int]] = {hour: {} for hour in range(last - HOURS + 1, last + 1)}
    for end in ends:
        if end.hour in hours:
            bar = hours[end.hour]
            bar[tone(end.status)] = bar.get(tone(end.status), 0) + end.count
    most = max((sum(bar.values()) for bar in hours.values()), default=0)
    if most == 0:
        return Markup("")
    width = WIDTH / HOURS
    bars = Markup("").join(
        _bar(number * width, width - GAP, bar, most, (last - hour))
        for number, (hour, bar) in enumerate(hours.items())
    )
    total = sum(sum(bar.values()) for bar in hours.values())
    name = f"Tasks that ended in the last {HOURS} hours: {total}; in the busiest hour: {most}"
    return _drawing(bars, name)


def _bar(x: float, width: float, counts: Mapping[str, int], most: int, age: int) -> Markup:
    pieces, y = Markup(""), float(HEIGHT)
    for kind in ORDER:
        height = HEIGHT * counts.get(kind, 0) / most
        y -= height
        if height:
            pieces += RECT.format(kind, x, y, width, height)
    words = ", ".join(f"{counts[kind]} {WORDS[kind]}" for kind in ORDER if counts.get(kind))
    ago = "this hour" if age == 0 else f"{age} h ago"
    return Markup("<g>{}<title>{}: {}</title></g>").format(pieces, ago, words or "none")


def durations_rows(durations: Sequence[Durations]) -> list[tuple[str, list[tuple[str, str]]]]:
    """(name, [(share, duration)]) of each kind that was measured."""
    return [
        (one.name, [(words, _seconds(one.percentile(share) or 0)) for share, words in _SHARES])
        for one in durations
        if one.values
    ]


def _seconds(milliseconds: int) -> str:
    if milliseconds < 1_000:
        return f"{milliseconds} ms"
    return f"{milliseconds / 1000:.1f} s" if milliseconds < 60_000 else span(milliseconds / 1000)


def _drawing(content: Markup, name: str) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}" '
        'preserveAspectRatio="none">{}</svg>'
    ).format(WIDTH, HEIGHT, escape(name), content)
