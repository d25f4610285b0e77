"""`/dashboard/tasks/{id}`: one task: explanation, timeline, log, diff, receipts, attempts."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import quote

import msgspec
from starlette.responses import Response, StreamingResponse

from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.event import FACTS, QUIET, Event
from gateway.domain.tasks.event_words import event_words
from gateway.domain.tasks.task import Status
from gateway.store.records import NO_NUMBER
from gateway.web.dashboard.diff import files_of
from gateway.web.dashboard.page import Page, Visit, action
from gateway.web.tasks import explain, receipts, results, tasks
from gateway.web.tasks.included import INCLUDE
from gateway.web.tasks.views import event_view

EVENTS: Final = 500
"""The newest that are shown."""
PIECES: Final = 50
"""Pieces of the log that are read at a time; each has up to 64 KiB."""
LOG_LENGTH: Final = 200_000
"""Characters of the end of the log that are shown."""
DIFF_LENGTH: Final = 400_000
"""Characters of the beginning of the patch that are shown."""
DIFF_LINES: Final = 5_000
"""Each line is an element of the page."""
SHOWN: Final = tuple(sorted(FACTS.keys() - QUIET))
"""Events of the timeline; the others have tabs of their own, or say nothing."""
GONE: Final = frozenset({"log", "diff", "receipts"})
"""Tabs that a purged task does not have."""
Variables = Mapping[str, object]


@Page(template="task.html")
async def show(visit: Visit) -> Variables:
    name, tab = visit.path["task_id"], visit.query.get("tab", "timeline")
    include = tab if tab in INCLUDE.known else ""
    task = await visit.api.read(tasks.show, {"include": include}, task_id=name)
    tabs = {name: read for name, read in TABS.items() if not (task["purgedAt"] and name in GONE)}
    read = tabs.get(tab, _timeline)
    return {
        "task": task,
        "tab": tab if tab in tabs else "timeline",
        "tabs": tuple(tabs),
        "explanation": await visit.api.read(explain.show, task_id=name),
        "has_ended": Status(task["status"]).is_terminal,
        "may_act": visit.api.may(tasks.cancel),
        "may_purge": visit.api.may(tasks.purge),
        "may_release": visit.api.may(tasks.release),
        "agent_command": " ".join(task["agent"]["command"] or ()),
        "feed": await _feed_of(visit, name),
        **await read(visit, name),
    }


async def _feed_of(visit: Visit, name: str) -> str:
    newest = await visit.context.reads.newest_events(name, 1)
    return f"/dashboard/tasks/{quote(name)}/feed?after={newest[-1].seq if newest else 0}"


async def _timeline(visit: Visit, name: str) -> Variables:
    events = await visit.context.reads.newest_events(name, EVENTS, SHOWN)
    return {"entries": [*map(_entry, reversed(events))], "is_cut": len(events) == EVENTS}


def _entry(event: Event) -> Variables:
    """An event in one line: the fields of its data that say something."""
    view = event_view(event)
    data = msgspec.json.decode(view.data)
    fields = [
        (field, _text_of(data[field]))
        for field in ("stage", "message", "summary", "reason", "detail", "prUrl", "error", "code")
        if data.get(field)
    ]
    words = event_words(view.type, view.data)
    return {
        "at": view.at,
        "type": view.type,
        "attempt": view.attempt,
        "source": view.source,
        "actor": view.actor,
        "is_applied": view.applied,
        "reason": view.reason,
        "fields": [*fields, ("words", words)] if words else fields,
        "seq": view.seq,
    }


def _text_of(value: object) -> str:
    if isinstance(value, dict):
        return ": ".join(str(value[key]) for key in ("code", "message") if value.get(key))
    return str(value)


async def _log(visit: Visit, name: str) -> Variables:
    """The end of the log, read backwards: a page costs the same however long the log is."""
    events: list[Event] = []
    length, before = 0, NO_NUMBER
    while length <= LOG_LENGTH:
        newest = await visit.context.reads.newest_events(name, PIECES, [results.LOG], before=before)
        events = newest + events
        length += sum(len(event.data) for event in newest)
        if len(newest) < PIECES:
            break
        before = newest[0].seq
    text = "".join(results.piece_of(event).chunk for event in events if event.applied)
    return {"log": text[-LOG_LENGTH:], "is_cut": len(text) > LOG_LENGTH}


async def _diff(visit: Visit, name: str) -> Variables:
    try:
        response = await visit.api.open(results.patch, task_id=name)
    except ApiError as exc:
        return {"files": (), "missing": exc.detail, "is_cut": False}
    text, is_cut = await _beginning(response)
    return {"files": files_of(text), "missing": "", "is_cut": is_cut}


async def _beginning(response: Response) -> tuple[str, bool]:
    """The first lines of a text that comes in pieces, and True if it goes on."""
    text = ""
    if isinstance(response, StreamingResponse):
        async for piece in response.body_iterator:
            text += piece if isinstance(piece, str) else bytes(piece).decode("utf-8", "replace")
            if len(text) > DIFF_LENGTH:
                break
    lines = text[:DIFF_LENGTH].split("\n", DIFF_LINES)
    is_cut = len(text) > DIFF_LENGTH or len(lines) > DIFF_LINES
    return "\n".join(lines[:DIFF_LINES]), is_cut


async def _receipts(visit: Visit, name: str) -> Variables:
    return {"receipts": await visit.api.read(receipts.show, task_id=name)}


async def _nothing_more(_visit: Visit, _name: str) -> Variables:
    return {}


TABS: Final[Mapping[str, Callable[[Visit, str], Awaitable[Variables]]]] = {
    "timeline": _timeline,
    "log": _log,
    "diff": _diff,
    "receipts": _receipts,
    "attempts": _nothing_more,
    "deliveries": _nothing_more,
    "request": _nothing_more,
}


@action
async def cancel(visit: Visit) -> str:
    name = visit.path["task_id"]
    await visit.api.change(tasks.cancel, name=visit.form.get("once", ""), task_id=name)
    return f"/dashboard/tasks/{quote(name)}?done=cancelled"


@action
async def retry(visit: Visit) -> str:
    name = visit.path["task_id"]
    await visit.api.change(tasks.retry, name=visit.form.get("once", ""), task_id=name)
    return f"/dashboard/tasks/{quote(name)}?done=retried"


@action
async def purge(visit: Visit) -> str:
    name, reason = visit.path["task_id"], {"reason": visit.form.get("reason", "")}
    await visit.api.change(tasks.purge, reason, task_id=name)
    return f"/dashboard/tasks/{quote(name)}?done=purged"


@action
async def release(visit: Visit) -> str:
    name, attempt = visit.path["task_id"], visit.path["attempt"]
    reason = {"reason": visit.form.get("reason", "")}
    await visit.api.change(tasks.release, reason, task_id=name, attempt=attempt)
    return f"/dashboard/tasks/{quote(name)}?done=released"
