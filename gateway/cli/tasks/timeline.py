"""Events as lines of a timeline."""

from typing import Final

from rich.text import Text

from gateway.cli.http.replies import EndpointWord, EventView

_STYLES: Final = {
    "task.created": "cyan",
    "task.completed": "bold green",
    "task.needs_review": "bold yellow",
    "task.failed": "bold red",
    "task.timed_out": "bold red",
    "task.cancelled": "bold red",
    "task.expired": "bold red",
    "task.stalled": "yellow",
    "task.pr_created": "green",
    "endpoint.failing": "yellow",
    "endpoint.disabled": "bold red",
    "endpoint.recovered": "green",
}
HIDDEN: Final = frozenset({"task.heartbeat", "task.usage", "task.log", "task.patch"})
"""Types that would drown the others."""


def line(event: EventView, *, is_mixed: bool = False) -> Text:
    """One event: when, about what if that is not clear, what, and in its own words."""
    word = event.word
    said = word.message or word.summary or word.pr_url or word.code or ""
    if event.endpoint is not None:
        said = _of_endpoint(event.endpoint)
    if word.error is not None:
        said = f"{word.error.code}: {word.error.message}"
    if word.stage:
        said = f"{word.stage}: {said}" if said else word.stage
    if not event.applied:
        said = f"refused ({event.reason}) {said}"
    name = event.type.removeprefix("task.").replace("_", " ")
    shown = "".join(letter if letter.isprintable() else " " for letter in said)
    return Text.assemble(
        (f"{event.at[11:23]}  ", "dim"),
        f"{_subject(event)}  " if is_mixed else "",
        (f"{name:<18}", _STYLES.get(event.type, "")),
        shown[:300],
    )


def _subject(event: EventView) -> str:
    endpoint = event.endpoint
    return event.task_id or ("" if endpoint is None else endpoint.id)


def _of_endpoint(endpoint: EndpointWord) -> str:
    status = f" {endpoint.http_status}" if endpoint.http_status else ""
    return f"{endpoint.origin} {endpoint.reason or ''}{status}".rstrip()
