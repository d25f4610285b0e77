"""The parts of one HTTP answer of a provider: the events of its stream, or the one document."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import httpx2
import msgspec

from . import chat, provider_errors

Part = dict[str, object]
KEEP_ALIVE: Final = "ping"
"""A type of event without content: it does not end a silence."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    is_stream: bool
    parts: tuple[Part, ...]
    """The events of a stream, or one document."""


def read(
    response: httpx2.Response,
    events: Callable[[], Iterable[object]],
    *,
    silent_seconds: float = chat.SILENT_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Read an answer to its end; raises `ModelFailure` if it is none, or breaks off."""
    # Read by the connection when the body begins: from here on the server is at work.
    timeouts = response.request.extensions.get("timeout")
    if _is_named_stream(response) and isinstance(timeouts, dict):
        timeouts["read"] = silent_seconds
    try:
        if _is_named_stream(response) or _is_unnamed_stream(response):
            return Answer(is_stream=True, parts=tuple(_in_time(events(), clock)))
        return Answer(is_stream=False, parts=(_document(response),))
    except httpx2.HTTPError as exc:
        raise provider_errors.broken_off(str(exc) or type(exc).__name__) from exc
    except (ValueError, RecursionError) as exc:
        raise provider_errors.broken_off(f"an event is not JSON: {exc}") from exc


def _is_named_stream(response: httpx2.Response) -> bool:
    return "event-stream" in response.headers.get("content-type", "")


def _is_unnamed_stream(response: httpx2.Response) -> bool:
    """True for the events of a server that names another type."""
    return response.read().lstrip().startswith((b"data:", b"event:"))


def _in_time(events: Iterable[object], clock: Callable[[], float]) -> Iterator[Part]:
    active_at, size = clock(), 0
    for event in events:
        now = clock()
        part = chat.mapping(event)
        size += len(str(part))
        if now - active_at > chat.TOKEN_SECONDS:
            raise provider_errors.broken_off("nothing but signs of life")
        if size > chat.LARGEST_ANSWER_CHARACTERS:
            raise provider_errors.malformed("it does not end")
        if part and part.get("type") != KEEP_ALIVE:
            active_at = now
            yield part


def _document(response: httpx2.Response) -> Part:
    text = response.read().decode(errors="replace")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise provider_errors.malformed("it is no JSON", text) from exc
    part = chat.mapping(document[0] if isinstance(document, list) and document else document)
    if part.get("error"):
        raise provider_errors.reported(part["error"])
    if not part:
        raise provider_errors.malformed("it is no object", text)
    return part
