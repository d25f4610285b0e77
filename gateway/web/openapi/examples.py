"""Examples of messages, by the name of their type."""

import re
from functools import cache
from pathlib import Path

import msgspec


def example_of(kind: object, name: str = "") -> object:
    """The example of a message type, or the one of this name in `examples.json`."""
    return _examples()[name or name_of(kind)]


def name_of(kind: object) -> str:
    """`TaskView`, `Page[TaskView]`."""
    return kind.__name__ if isinstance(kind, type) else re.sub(r"[\w.]*\.", "", str(kind))


@cache
def _examples() -> dict[str, object]:
    text = Path(__file__).with_suffix(".json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, object])
