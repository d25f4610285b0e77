"""Bodies nobody means well with: broken JSON, JSON of the wrong shape, and right ones with one
place spoiled."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from hypothesis import strategies as st

Json = dict[str, Any]
Path = tuple[str | int, ...]

HUGE: Final = ("1e999", "-1e999", "9" * 400, "-" + "9" * 25, "1e-999", "9223372036854775808", "-0")
TEXTS: Final = (r'"\u0000"', r'"\ud800"', r'"\udc00\ud800"', '"\\ufeff"', '"' + "x" * 70_000 + '"')
DEEP: Final = ("[" * 100_000, "[" * 700 + "]" * 700, '{"a":' * 5_000 + "1" + "}" * 5_000)
BROKEN: Final = ("", "NaN", "Infinity", "-", "tru", "[1,]", "'a'", '{"a":1,"a":[]}')
RAW: Final = (*HUGE, *TEXTS, *DEEP, *BROKEN)
"""Replacements for a value; not all of them are JSON."""

LAST: Final[Json] = {
    "prUrl": "https://github.com/acme/widgets/pull/1",
    "summary": "done",
    "validation": [{"command": ["make", "test"], "exitCode": 0, "outputTail": "ok"}],
    "patch": "+a\n",
    "error": {"stage": "agent", "code": "x", "message": "y", "retryable": False},
}
WORDS: Final[dict[str, Json]] = {
    "task.started": {"scriptDigest": "d", "snapshot": "s"},
    "task.progress": {"stage": "agent", "message": "turn 1", "percent": 1.5},
    "task.log": {"offset": 0, "chunk": "x"},
    "task.usage": {"inputTokens": 1, "outputTokens": 2, "costUsd": 0.1, "turns": 1},
    "task.completed": LAST,
    "task.failed": LAST,
}
FLAT: Final = (
    *({"type": kind, "id": "1", **data} for kind, data in WORDS.items()),
    {"type": "task.failed", "error": "patch failed", "message": "x", "stage": "agent"},
    {"type": "workspace.failed", "error": "boom", "status": "failed"},
    {"type": "pr.created", "prUrl": "https://github.com/acme/widgets/pull/1", "branchName": "b"},
)

VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def signed_words(task_id: str) -> tuple[Json, ...]:
    """Right words of the first attempt of this task."""
    return tuple(
        {"type": kind, "timestamp": "", "data": {"taskId": task_id, "attempt": 1, **data}}
        for kind, data in WORDS.items()
    )


def bodies(*right: object) -> st.SearchStrategy[bytes]:
    """Bytes, JSON, and these messages with one place replaced, repeated or cut off."""
    spoiled = st.sampled_from(right).flatmap(_spoiled)
    cut = spoiled.flatmap(lambda body: st.integers(0, len(body)).map(lambda end: body[:end]))
    flipped = spoiled.flatmap(_flipped)
    return st.binary(max_size=60) | VALUES.map(msgspec.json.encode) | spoiled | cut | flipped


def _spoiled(right: object) -> st.SearchStrategy[bytes]:
    whole = msgspec.json.decode(msgspec.json.encode(right))  # which takes raw parts, too
    value = st.sampled_from(RAW).map(str.encode) | VALUES.map(msgspec.json.encode)
    return st.tuples(st.sampled_from([(), *_paths(whole)]), value).map(
        lambda drawn: msgspec.json.encode(_replaced(whole, drawn[0], msgspec.Raw(drawn[1])))
    )


def _flipped(body: bytes) -> st.SearchStrategy[bytes]:
    place = st.integers(0, max(len(body) * 8 - 1, 0))
    return place.map(lambda bit: _flip(body, bit))


def _flip(body: bytes, bit: int) -> bytes:
    flipped = bytearray(body)
    if flipped:
        flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def _paths(value: object, path: Path = ()) -> Iterator[Path]:
    items: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list | tuple):
        items = list(enumerate(value))
    for step, inner in items:
        yield (*path, step)
        yield from _paths(inner, (*path, step))


def _replaced(value: object, path: Path, new: object) -> object:
    if not path:
        return new
    if isinstance(value, dict):
        return {**value, path[0]: _replaced(value[path[0]], path[1:], new)}
    assert isinstance(value, list | tuple)
    return [
        _replaced(inner, path[1:], new) if index == path[0] else inner
        for index, inner in enumerate(value)
    ]
