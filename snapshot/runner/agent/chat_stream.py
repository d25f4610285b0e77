"""The chat completion that the chunks of a stream add up to."""

from collections.abc import Iterable
from typing import Final

from . import chat, provider_errors
from .answer import Answer, Part

_JOINED: Final = frozenset(
    {"content", "refusal", "reasoning", "reasoning_content", "arguments", "text", "summary"}
)
"""Texts that come in pieces; any other value is whole, and the last one counts."""
_FLOWING: Final = frozenset({"reasoning.text", "reasoning.summary"})
_ENDING: Final = ("finish_reason", "error")


def assembled(answer: Answer) -> Part:
    """The completion; raises `ModelFailure` if the stream ended before it."""
    if not answer.is_stream:
        return answer.parts[0]
    message: Part = {}
    ending: Part = {}
    usage: object = None
    for chunk in answer.parts:
        usage = chunk.get("usage") or usage
        for choice in chat.items(chunk.get("choices"))[:1]:
            _merge(message, chat.mapping(choice.get("delta") or choice.get("message")))
            ending |= {name: choice[name] for name in _ENDING if choice.get(name)}
    if not ending:
        raise provider_errors.broken_off()
    return {"choices": [{**ending, "message": message}], "usage": usage}


def _merge(whole: Part, piece: Part) -> None:
    for name, value in piece.items():
        before = whole.get(name)
        if name == "tool_calls":
            _merge_calls(whole, chat.items(value))
        elif name == "reasoning_details":
            _merge_details(whole, chat.items(value))
        elif name in _JOINED and isinstance(before, str) and isinstance(value, str):
            whole[name] = before + value
        elif isinstance(before, dict) and isinstance(value, dict):
            _merge(before, value)
        elif value is not None and (value != "" or before is None):
            whole[name] = dict(value) if isinstance(value, dict) else value


def _merge_calls(whole: Part, pieces: Iterable[Part]) -> None:
    """Add pieces of calls, which belong together by index; some servers count every call as 0."""
    calls = _list(whole, "tool_calls")
    for piece in pieces:
        index, identifier = piece.get("index"), piece.get("id")
        same = [call for call in calls if call["index"] == index]
        if not same or (identifier and same[-1].get("id") not in (None, "", identifier)):
            calls.append({"index": index})
            same = calls[-1:]
        _merge(same[-1], piece)


def _merge_details(whole: Part, pieces: Iterable[Part]) -> None:
    """Add pieces of OpenRouter's reasoning: of texts, whose signature comes last; the others are
    whole."""
    details = _list(whole, "reasoning_details")
    for piece in pieces:
        last = details[-1] if details else {}
        is_next = _key(last) == _key(piece) and piece.get("type") in _FLOWING
        if is_next and not last.get("signature"):
            _merge(last, piece)
        else:
            details.append(dict(piece))


def _key(detail: Part) -> tuple[object, object]:
    return detail.get("type"), detail.get("index")


def _list(whole: Part, name: str) -> list[Part]:
    found = whole.setdefault(name, [])
    return found if isinstance(found, list) else []
