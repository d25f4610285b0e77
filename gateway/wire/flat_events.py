"""The flat payload of scripts that cannot sign, translated into the words of `agent`.

It is what today's snapshot sends (`task.progress`, `task.completed`, `pr.created`, `task.failed`,
`workspace.*`), and every type of ours with the envelope's fields flat. Empty strings are absent.
Scripts cannot mend a refusal, so a long text is cut instead of refused.
"""

import re
from collections.abc import Callable
from typing import Annotated, Final

import msgspec

from gateway.wire.agent import (
    MESSAGE_CHARACTERS,
    SUMMARY_CHARACTERS,
    AgentEvent,
    FlatProgress,
    check_event,
    event_kind,
)
from gateway.wire.decode import check_depth, not_json, out_of_range
from gateway.wire.decode import decode as read
from gateway.wire.truncation import head_and_tail

Fields = dict[str, object]

ENVELOPE: Final = frozenset({"type", "id", "timestamp", "taskId", "attempt"})
"""The capability URL says for whom the word is; a `taskId` in it is the frontend's own."""
NEEDS_REVIEW: Final = re.compile(
    r"patch|apply|conflict|context|does not exist|malformed", re.IGNORECASE
)
"""What today's frontend takes for a failure that a person should look at."""
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    type: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    id: Annotated[str, msgspec.Meta(max_length=128)] | None = None


def decode(body: bytes) -> AgentEvent:
    """The word a flat body stands for.

    Raises:
        WrongShape: `invalid_json`, `invalid_request` or `unknown_event_type`.
    """
    head = read(_Head, body)
    check_depth(body)
    fields = _fields(body)
    translate = _TRANSLATE.get(head.type)
    name, data = translate(fields) if translate else (head.type, fields)
    if isinstance(data.get("warnings"), str):
        data["warnings"] = [data["warnings"]]
    kind = FlatProgress if name == "task.progress" else event_kind(name)
    word = check_event(name, kind, data)
    return msgspec.structs.replace(word, id=head.id or None)


def _fields(body: bytes) -> Fields:
    try:
        body.decode()
        fields = msgspec.json.decode(body, type=Fields)
    except msgspec.ValidationError as exc:
        raise out_of_range(exc) from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise not_json(exc) from exc
    return {
        name: value
        for name, value in fields.items()
        if name not in ENVELOPE and value is not None and value != ""
    }


def _progress(fields: Fields) -> tuple[str, Fields]:
    text = _text(fields, "message") or _text(fields, "error")
    return "task.progress", _with(fields, message=head_and_tail(text, MESSAGE_CHARACTERS) or None)


def _workspace(fields: Fields) -> tuple[str, Fields]:
    text = _text(fields, "message") or _text(fields, "error") or _text(fields, "status")
    return "task.progress", _with(fields, message=head_and_tail(text, MESSAGE_CHARACTERS) or None)


def _workspace_failed(fields: Fields) -> tuple[str, Fields]:
    return _failure(fields, default_code="workspace_failed")


def _pull_request(fields: Fields) -> tuple[str, Fields]:
    return "task.pr_created", fields


def _completed(fields: Fields) -> tuple[str, Fields]:
    if fields.get("status", "success") != "success":
        return _failed(fields)
    return "task.completed", _summarised(fields)


def _needs_review(fields: Fields) -> tuple[str, Fields]:
    return "task.needs_review", _summarised(fields)


def _failed(fields: Fields) -> tuple[str, Fields]:
    if isinstance(fields.get("error"), dict):
        return "task.failed", fields
    if NEEDS_REVIEW.search(_said(fields)):
        return _needs_review(fields)
    return _failure(fields, default_code="agent_failed")


def _failure(fields: Fields, *, default_code: str) -> tuple[str, Fields]:
    short = _text(fields, "error")
    error: Fields = {
        "stage": _text(fields, "stage")[:40] or "agent",
        "code": short if _CODE.fullmatch(short) else default_code,
        "message": head_and_tail(_said(fields), SUMMARY_CHARACTERS) or "The agent gave no reason.",
        "retryable": False,
    }
    return "task.failed", {**fields, "error": error}


def _summarised(fields: Fields) -> Fields:
    text = _text(fields, "summary") or _said(fields)
    return _with(fields, summary=head_and_tail(text, SUMMARY_CHARACTERS) or None)


def _said(fields: Fields) -> str:
    """The short and the long text, once each."""
    texts = (_text(fields, "error"), _text(fields, "message"))
    return ": ".join(dict.fromkeys(text for text in texts if text))


def _with(fields: Fields, **texts: str | None) -> Fields:
    """The fields with these texts; a flat `error` is a text, and ours is an object."""
    kept = {name: value for name, value in fields.items() if name != "error"}
    return kept | {name: text for name, text in texts.items() if text}


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


_TRANSLATE: Final[dict[str, Callable[[Fields], tuple[str, Fields]]]] = {
    "workspace.created": _workspace,
    "workspace.status": _workspace,
    "workspace.failed": _workspace_failed,
    "pr.created": _pull_request,
    "task.progress": _progress,
    "task.completed": _completed,
    "task.needs_review": _needs_review,
    "task.failed": _failed,
}
"""Every other type is taken as one of ours."""
TRANSLATED: Final = frozenset(_TRANSLATE)
