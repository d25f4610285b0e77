"""The body of an agent's webhook, decoded and checked.

A terminal event is an attempt's last, so it is never refused for the size of an optional field: the
field is dropped.
"""

import re
from collections.abc import Callable
from typing import Final, cast

import msgspec

from gateway.wire.agent import EVENTS, NEVER_REFUSED, AgentEvent, Envelope, Message, Target
from gateway.wire.decode import (
    Path,
    WrongShape,
    check_depth,
    mistakes_in,
    not_json,
    path_text,
    wrong_shape,
)
from gateway.wire.decode import (
    decode as read,
)
from gateway.wire.patches import MAX_WARNINGS, WARNING_CHARACTERS
from gateway.wire.problem import FieldError

UNKNOWN_BYTES: Final = 64 * 1024
"""The limit of all unknown fields of an event together, which are stored and shown with it."""
OPTIONAL_TEXTS: Final = frozenset(
    [
        *("prUrl", "branchName", "commitSha", "summary", "patch", "logTail"),
        *("validation", "outputTail", "status", "reason", "baseline", "outputDigest"),
        "receiptsSignature",
    ]
)
"""Fields that a terminal event or a patch loses if they are too long."""
_HALVES: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


class _TargetEnvelope(msgspec.Struct, frozen=True):
    data: Target


def read_target(body: bytes) -> tuple[str, int]:
    """The task and the attempt of a signed body; the rest of it is not checked.

    Raises:
        WrongShape: `invalid_json`, or `invalid_request` for these two fields.
    """
    try:
        body.decode()
    except UnicodeDecodeError as exc:
        raise not_json(exc) from exc
    data = _target(body)
    check_depth(body)
    return data.task_id, data.attempt


def _target(body: bytes) -> Target:
    try:
        return read(_TargetEnvelope, body).data
    except WrongShape as exc:
        # Half a surrogate pair, anywhere, is reported once the sender is known.
        without, count = _HALVES.subn(rb"\\ufffd", body)
        if exc.code != "invalid_json" or not count:
            raise
    return read(_TargetEnvelope, without).data


def decode(body: bytes) -> AgentEvent:
    """The event of a signed body that `read_target` has checked to be UTF-8.

    Raises:
        WrongShape: `invalid_json`, `invalid_request` or `unknown_event_type`.
    """
    envelope = read(Envelope, body)
    kind = event_kind(envelope.type)
    data = bytes(envelope.data)
    try:
        message = _DECODE[envelope.type](data)
    except msgspec.ValidationError:
        return check_event(envelope.type, kind, fields_of(data))
    if len(data) > UNKNOWN_BYTES:
        return check_event(envelope.type, kind, fields_of(data))
    return AgentEvent(type=envelope.type, message=message, data=data)


def event_kind(name: str) -> type[Message]:
    """The message of a type.

    Raises:
        WrongShape: `unknown_event_type`.
    """
    if name in EVENTS:
        return EVENTS[name]
    known = ", ".join(EVENTS)
    error = FieldError(path="$.type", message=f"Expected one of {known}")
    raise WrongShape("unknown_event_type", f"No event has the type '{name[:100]}'.", (error,))


def check_event(name: str, kind: type[Message], data: dict[str, object]) -> AgentEvent:
    """An event from decoded data. A terminal one loses the optional and unknown fields that are
    too long.

    Raises:
        WrongShape: `invalid_request`.
    """
    shortened = _shorten_warnings(data)
    foreign = _too_much(kind, data)
    mistakes = [*mistakes_in(kind, data), *foreign]
    dropped: list[Path] = []
    if mistakes and name in NEVER_REFUSED:
        dropped = [path for path, message in mistakes if _may_go(path, message)]
        dropped += [path for path, _ in foreign]
        for path in reversed(dropped):
            _drop(data, path)
        mistakes = mistakes_in(kind, data) if dropped else mistakes
    if mistakes:
        raise wrong_shape([(("data", *path), message) for path, message in mistakes])
    try:
        message = msgspec.convert(data, type=kind)
    except msgspec.ValidationError as exc:  # behind all values that are checked one by one
        raise wrong_shape([(("data",), str(exc))]) from exc
    return AgentEvent(
        type=name,
        message=message,
        data=msgspec.json.encode(data),
        warnings=(
            *(f"{path_text(('data', *path))} was dropped: too long" for path in dropped),
            *shortened,
        ),
    )


def _shorten_warnings(data: dict[str, object]) -> tuple[str, ...]:
    given = data.get("warnings")
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        return ()
    data["warnings"] = [text[:WARNING_CHARACTERS] for text in given[:MAX_WARNINGS]]
    return ("$.data.warnings were cut: too long",) if data["warnings"] != given else ()


def _too_much(kind: type[Message], data: dict[str, object]) -> list[tuple[Path, str]]:
    """The unknown fields, if they are too long together."""
    known = {field.encode_name for field in msgspec.structs.fields(kind)} | {"taskId", "attempt"}
    unknown = {name: value for name, value in data.items() if name not in known}
    if len(msgspec.json.encode(unknown)) <= UNKNOWN_BYTES:
        return []
    return [((name,), "Unknown fields have more than 64 KiB in all") for name in unknown]


def _may_go(path: Path, message: str) -> bool:
    return bool(path) and path[-1] in OPTIONAL_TEXTS and "of length <=" in message


def _drop(data: dict[str, object], path: Path) -> None:
    holder: object = data
    for step in path[:-1]:
        holder = cast("dict[str | int, object]", holder)[step]
    del cast("dict[str | int, object]", holder)[path[-1]]


def fields_of(data: bytes) -> dict[str, object]:
    """The fields of an event's data, unchecked.

    Raises:
        WrongShape: it is no object, or holds a number that no float can hold.
    """
    try:
        return msgspec.json.decode(data, type=dict[str, object])
    except msgspec.ValidationError as exc:
        raise wrong_shape([(("data",), str(exc))]) from exc
    except (msgspec.DecodeError, RecursionError) as exc:
        raise not_json(exc) from exc


_DECODE: Final[dict[str, Callable[[bytes], Message]]] = {
    name: msgspec.json.Decoder(kind).decode for name, kind in EVENTS.items()
}
