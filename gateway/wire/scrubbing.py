"""Removes secrets and control characters from the data of agent events before they are stored.

The JSON is searched once; only data with a trace of either is decoded.
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from gateway.wire.agent_body import fields_of
from gateway.wire.redaction import has_trace, redact, redact_patch

Change = Callable[[str, str], str]
"""(name of the field, text) → text."""

RAW: Final = frozenset({"chunk", "patch", "logTail", "outputTail"})
"""Fields with the output of programs: control characters stay, and are removed for a terminal."""
_ESCAPE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def scrub(kind: str, data: bytes, own: tuple[bytes, ...] = ()) -> tuple[bytes, tuple[str, ...]]:
    """The data of an event as it may be stored, and a warning for each patch that was changed;
    `own` are secrets of the attempt that have no form of their own.

    Raises:
        WrongShape: it contains a number that no float can hold.
    """
    if not has_trace(data) and not any(secret in data for secret in own):
        return data, ()
    fields = fields_of(data)
    without = _without_secrets(kind, fields, tuple(secret.decode() for secret in own))
    warnings = tuple(
        f"$.data.{name}: secrets in added lines were redacted"
        for name in fields
        if _is_patch(kind, name) and without.get(name) != fields[name]
    )
    return msgspec.json.encode(_changed(without, "", _plain)), warnings


def contains_secret(kind: str, data: bytes) -> bool:
    """True if it contains a secret that should have been redacted.

    Raises:
        WrongShape: it is no object of JSON.
    """
    if not has_trace(data):
        return False
    fields = fields_of(data)
    return _without_secrets(kind, fields, ()) != fields


def plain(text: str) -> str:
    """The text without escape sequences and control characters, which steer terminals."""
    return _CONTROL.sub("", _ESCAPE.sub("", text))


def _without_secrets(
    kind: str, fields: dict[str, object], own: tuple[str, ...]
) -> dict[str, object]:
    def change(name: str, text: str) -> str:
        remove = redact_patch if _is_patch(kind, name) else redact
        return remove(text, own, keeps_length=name == "chunk")

    return {change("", name): _changed(value, name, change) for name, value in fields.items()}


def _is_patch(kind: str, name: str) -> bool:
    return name == "patch" or (name == "chunk" and kind == "task.patch")


def _plain(name: str, text: str) -> str:
    return text if name in RAW else plain(text)


def _changed(value: object, name: str, change: Change) -> object:
    """The value with every text changed; `name` is the nearest field's."""
    if isinstance(value, str):
        return change(name, value)
    if isinstance(value, dict):
        return {change("", key): _changed(item, key, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_changed(item, name, change) for item in value]
    return value
