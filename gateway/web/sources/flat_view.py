"""Our events in the flat form that today's frontend knows; the table of `interfaces.md` §4."""

import re
from collections.abc import Callable
from typing import Final

from gateway.domain.tasks.event import CancelRequested, Ended, Event, FlagCleared, FlagSet, Progress
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Task
from gateway.wire.truncation import head_and_tail
from gateway.wire.workspace import FlatEvent

Fields = dict[str, str]
CANCEL_REQUESTED: Final = "task.cancel_requested"
MESSAGE_CHARACTERS: Final = 8_000

PATCH_FAILED: Final = "the patch needs a review"
"""Worded so that the receiver asks a person to look at it."""


def flat_view(event: Event, task: Task, spec: Spec, *, cancel: Event | None) -> FlatEvent | None:
    """The payload; None for an event without a flat form. `cancel` is the request to stop, if there
    is one: a frontend that cancelled gets no event of it."""
    if event.type == "task.cancelled" and _is_by_frontend(cancel):
        return None
    shape = _TABLE.get(event.type)
    if shape is None:
        return None
    kind, fields = shape(event, task)
    return FlatEvent(
        type=kind,
        task_id=spec.flat or task.id,
        workspace_id=task.id,
        branch_name=spec.branch_name,
        **fields,
    )


def _is_by_frontend(cancel: Event | None) -> bool:
    fact = cancel.fact if cancel else None
    return isinstance(fact, CancelRequested) and fact.by is None


def _launched(_event: Event, _task: Task) -> tuple[str, Fields]:
    return "workspace.created", {"status": "creating"}


def _progress(event: Event, _task: Task) -> tuple[str, Fields]:
    fact = event.fact
    message = ""
    if isinstance(fact, Progress):
        message = fact.message or fact.stage or ""
    elif isinstance(fact, FlagSet):
        message = f"{fact.code.replace('_', ' ')}: {fact.detail}".rstrip(": ")
    elif isinstance(fact, FlagCleared):
        message = f"no longer {fact.code.replace('_', ' ')}"
    else:
        message = "The agent has started"
    return "task.progress", {
        "status": "running",
        "message": head_and_tail(message, MESSAGE_CHARACTERS),
    }


def _completed(event: Event, task: Task) -> tuple[str, Fields]:
    fact = _ended(event)
    return "task.completed", {
        "status": "success",
        "pr_url": fact.pr_url or task.pr_url or "",
        "message": head_and_tail(fact.summary or "", MESSAGE_CHARACTERS),
    }


def _needs_review(event: Event, task: Task) -> tuple[str, Fields]:
    fact = _ended(event)
    pr_url = fact.pr_url or task.pr_url or ""
    summary = head_and_tail(fact.summary or "", MESSAGE_CHARACTERS)
    if pr_url:
        return "pr.created", {"pr_url": pr_url, "message": summary}
    return "task.failed", {"status": "failed", "error": PATCH_FAILED, "message": summary}


def _failed(event: Event, _task: Task) -> tuple[str, Fields]:
    fact = _ended(event)
    code = fact.error.code if fact.error else event.type.removeprefix("task.")
    message = fact.error.message if fact.error else ""
    return "task.failed", {
        "status": "failed",
        "error": _reworded(code, _IN_ERROR),
        "message": head_and_tail(_reworded(message, _IN_MESSAGE), MESSAGE_CHARACTERS),
    }


def _cancelled(_event: Event, _task: Task) -> tuple[str, Fields]:
    return "task.failed", {"status": "failed", "error": "cancelled", "message": "It was cancelled."}


def _reworded(text: str, words: re.Pattern[str]) -> str:
    """Without the words by which the receiver would take it for a problem of the patch; a code or
    the name of a file that holds one of them stays as it is."""
    return words.sub(lambda found: _OTHER_WORDS[found[0].lower()], text)


def _ended(event: Event) -> Ended:
    fact = event.fact
    if not isinstance(fact, Ended):
        raise TypeError(f"{event.type} ends nothing")
    return fact


_OTHER_WORDS: Final = {
    "patch": "change",
    "apply": "use",
    "conflict": "clash",
    "context": "surroundings",
    "does not exist": "is not there",
    "malformed": "broken",
}
_WORD: Final = r"(?<![\w./-])(?:{})(?![\w/-]|\.\w)"
"""A whole word, not a piece of a code, a path or the name of a file."""
_IN_ERROR: Final = re.compile(_WORD.format("|".join(_OTHER_WORDS)), re.IGNORECASE)
_IN_MESSAGE: Final = re.compile(_WORD.format("patch|apply"), re.IGNORECASE)
_TABLE: Final[dict[str, Callable[[Event, Task], tuple[str, Fields]]]] = {
    "task.launched": _launched,
    "task.started": _progress,
    "task.progress": _progress,
    "task.stalled": _progress,
    "task.recovered": _progress,
    "task.completed": _completed,
    "task.needs_review": _needs_review,
    "task.failed": _failed,
    "task.timed_out": _failed,
    "task.expired": _failed,
    "task.cancelled": _cancelled,
}
