"""Fields of forms as values of the API, and its values as words for a shell; any other text of a
field goes on unchanged, for the API to refuse."""

import json
import re
from collections.abc import Mapping
from typing import Final

import msgspec

_LOCAL: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?")


def utc(text: str) -> str:
    """The value of a `datetime-local` field as RFC 3339: all times of the pages are UTC, and
    browsers leave seconds out that are 0."""
    if not _LOCAL.fullmatch(text):
        return text
    return f"{text}Z" if text.count(":") > 1 else f"{text}:00Z"


def number(text: str) -> object:
    """The number as JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def quoted_json(body: Mapping[str, object]) -> str:
    """The JSON for a shell, between single quotes."""
    return msgspec.json.encode(body).decode().replace("'", "'\\''")
