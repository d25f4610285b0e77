"""The flat payload of scripts that cannot sign, translated into an agent event.

Today's snapshot sends it (`task.progress`, `task.completed`, `pr.created`, `task.failed`,
`workspace.*`), and every type of ours may come with the envelope's fields flat. Empty strings count
as absent. Scripts cannot correct a refused request, so a long text is truncated instead of refused.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Final

import msgspec

from gateway.wire.agent import (
    MESSAGE_CHARACTERS,
    SUMMARY_CHARACTERS,
    AgentEvent,
    FlatProgress,
)
from gateway.wire.agent_body import check_event, event_kind
from gateway.wire.decode import check_depth
from gateway.wire.decode import decode as read
from gateway.wire.truncation import head_and_tail

Fields = dict[str, object]

ENVELOPE: Final = frozenset({"type", "id", "timestamp", "taskId", "attempt"})
"""The capability URL names task and attempt; a `taskId` in the body is the frontend's own."""
NEEDS_REVIEW: Final = re.compile(
    r"patch|apply|conflict|context|does not exist|malformed", re.IGNORECASE
)
"""Texts of failures that today's frontend shows for review."""
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    type: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    id: Annotated[str, msgspec.Meta(max_length=128)] | None = None


def decode(body: bytes) -> AgentEvent:
    """The agent event of a flat body.

    Raises:
        WrongShape: `invalid_json`, `invalid_request` or `unknown_event_type`.
    """
    head = read(_Head, body)
    check_depth(body)
    fields = {
        name: value
        for name, value in read(Fields, body).items()
        if name not in ENVELOPE and value is not None and value != ""
    }
    translate = _TRANSLATE.get(head.type)
    name, data = translate(fields) if translate else (head.type, fields)
    if isinstance(data.get("warnings"), str):
        data["warnings"] = [data["warnings"]]
    kind = FlatProgress if name == "task.progress" else event_kind(name)
    event = check_event(name, kind, data)
    return msgspec.structs.replace(event, id=head.id or None)


def _progress(fields: Fields, *names: str) -> tuple[str, Fields]:
    texts = (_text(fields, name) for name in ("message", "error", *names))
    text = head_and_tail(next(filter(None, texts), ""), MESSAGE_CHARACTERS)
    return "task.progress", _with_texts(fields, message=text)


def _workspace(fields: Fields) -> tuple[str, Fields]:
    return _progress(fields, "status")


def _completed(fields: Fields) -> tuple[str, Fields]:
    if fields.get("status", "success") != "success":
        return _failed(fields)
    return "task.completed", _summarised(fields)


def _needs_review(fields: Fields) -> tuple[str, Fields]:
    return "task.needs_review", _summarised(fields)


def _failed(fields: Fields) -> tuple[str, Fields]:
    if isinstance(fields.get("error"), dict):
        return "task.failed", fields
    if NEEDS_REVIEW.search(_both_texts(fields)):
        return _needs_review(fields)
    return _failure(fields, default_code="agent_failed")


def _failure(fields: Fields, *, default_code: str) -> tuple[str, Fields]:
    short = _text(fields, "error")
    error: Fields = {
        "stage": _text(fields, "stage")[:40] or "agent",
        "code": short if _CODE.fullmatch(short) else default_code,
        "message": head_and_tail(_both_texts(fields), SUMMARY_CHARACTERS)
        or "The agent gave no reason.",
        "retryable": False,
    }
    return "task.failed", {**fields, "error": error}


def _summarised(fields: Fields) -> Fields:
    text = _text(fields, "summary") or _both_texts(fields)
    return _with_texts(fields, summary=head_and_tail(text, SUMMARY_CHARACTERS))


def _both_texts(fields: Fields) -> str:
    """The short and the long text, each once."""
    texts = (_text(fields, "error"), _text(fields, "message"))
    return ": ".join(dict.fromkeys(text for text in texts if text))


def _with_texts(fields: Fields, **texts: str) -> Fields:
    """The fields with these texts, without a flat `error`: that is a text, ours is an object."""
    kept = {name: value for name, value in fields.items() if name != "error"}
    return kept | {name: text for name, text in texts.items() if text}


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


_TRANSLATE: Final[dict[str, Callable[[Fields], tuple[str, Fields]]]] = {
    "workspace.created": _workspace,
    "workspace.status": _workspace,
    "workspace.failed": partial(_failure, default_code="workspace_failed"),
    "pr.created": lambda fields: ("task.pr_created", fields),
    "task.progress": _progress,
    "task.completed": _completed,
    "task.needs_review": _needs_review,
    "task.failed": _failed,
}
"""Other types are read as ours."""
TRANSLATED: Final = frozenset(_TRANSLATE)
