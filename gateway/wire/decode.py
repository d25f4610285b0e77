"""Decoding what others send: fast when it is right, and naming every wrong path when it is not."""

import re
import types
import typing
from collections.abc import Iterator
from typing import Final, Literal, TypeVar, Union

import msgspec

from gateway.wire.problem import FieldError

T = TypeVar("T")
Code = Literal["invalid_json", "invalid_request", "unknown_event_type"]

MAX_ERRORS: Final = 50
"""So many wrong paths are named; a body of a thousand mistakes gets no thousand answers."""
MAX_PATH: Final = 200
MAX_MESSAGE: Final = 300
"""It may quote what was sent, and that may be as long as a body."""
MAX_DEPTH: Final = 32
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKETS: Final = re.compile(rb"[\[\]{}]")
_MISSING: Final = "Object missing required field `{}`"
_UNKNOWN: Final = "Object contains unknown field `{}`"

Step = str | int
Path = tuple[Step, ...]


class WrongShape(Exception):
    """A body that is not JSON (`invalid_json`) or not what was asked for, with every wrong path."""

    def __init__(self, code: Code, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.errors = errors


def decode(kind: type[T], body: bytes) -> T:
    """Read a JSON body strictly as `kind`.

    Raises:
        WrongShape: `invalid_json`, or `invalid_request` with all wrong paths.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as exc:
        raise _explained(kind, body, exc) from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise not_json(exc) from exc


def not_json(exc: Exception) -> WrongShape:
    """The refusal of a body that is no JSON; nesting past every sane depth counts as none."""
    if isinstance(exc, RecursionError):
        return WrongShape("invalid_json", "The body is nested too deeply.")
    if isinstance(exc, UnicodeDecodeError):
        return WrongShape("invalid_json", "The body is not UTF-8.")
    return WrongShape("invalid_json", f"The body is not valid JSON: {exc}.")


def check_depth(body: bytes) -> None:
    """Refuses what is nested deeper than anybody means it.

    msgspec bears as much as the stack has left at that moment, so that what one caller has taken
    would be too deep for the next who reads it; and Ruby gives up at 100, .NET at 64.

    Raises:
        WrongShape: `invalid_json`.
    """
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise WrongShape("invalid_json", f"The body is nested deeper than {MAX_DEPTH} levels.")


def _depth(body: bytes) -> int:
    depth = deepest = 0
    for token in _BRACKETS.findall(_STRING.sub(b"", body)):
        depth += 1 if token in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def wrong_shape(mistakes: list[tuple[Path, str]]) -> WrongShape:
    """The refusal that names these paths."""
    errors = tuple(
        FieldError(path=path_text(path), message=message[:MAX_MESSAGE])
        for path, message in mistakes[:MAX_ERRORS]
    )
    return WrongShape("invalid_request", _summary(errors), errors)


def mistakes_in(kind: object, value: object) -> list[tuple[Path, str]]:
    """Every path at which a decoded JSON value is not a `kind`, in the order of the fields."""
    return list(_mistakes(kind, value, ()))


def path_text(path: Path) -> str:
    """`("env", "A")` as `$.env.A`, `("validate", 0)` as `$.validate[0]`, cut at 200 characters."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return ("$" + "".join(steps))[:MAX_PATH]


def _explained(kind: object, body: bytes, first: msgspec.ValidationError) -> WrongShape:
    try:
        value = msgspec.json.decode(body)
    except msgspec.ValidationError:  # a number no float can hold
        return out_of_range(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        return not_json(exc)
    return wrong_shape(mistakes_in(kind, value) or [((), str(first))])


def out_of_range(exc: msgspec.ValidationError) -> WrongShape:
    """The one mistake that has no decoded value to walk through: its path stands in the text."""
    message, _, place = str(exc).partition(" - at `")
    error = FieldError(path=place.rstrip("`")[:MAX_PATH] or "$", message=message[:MAX_MESSAGE])
    return WrongShape("invalid_request", _summary((error,)), (error,))


def _summary(errors: tuple[FieldError, ...]) -> str:
    if len(errors) == 1:
        return f"{errors[0].path}: {errors[0].message}."
    return f"{len(errors)} fields are wrong, the first is {errors[0].path}."


def _mistakes(kind: object, value: object, path: Path) -> Iterator[tuple[Path, str]]:
    try:
        msgspec.convert(value, type=kind)
    except (msgspec.ValidationError, RecursionError) as exc:
        inner = list(_inside(_for_value(kind, value), value, path))
        yield from inner or [(path, _message(exc))]


def _inside(kind: object, value: object, path: Path) -> Iterator[tuple[Path, str]]:
    arguments = typing.get_args(kind)
    if isinstance(value, dict) and _is_struct(kind):
        yield from _in_struct(kind, value, path)
    elif isinstance(value, dict) and typing.get_origin(kind) is dict:
        for key, item in value.items():
            if _mistakes_of_key(arguments[0], key):
                yield (*path, key), _mistakes_of_key(arguments[0], key)
            yield from _mistakes(arguments[1], item, (*path, key))
    elif isinstance(value, list) and typing.get_origin(kind) is tuple:
        for index, item in enumerate(value):
            yield from _mistakes(arguments[0], item, (*path, index))


def _in_struct(
    kind: type[msgspec.Struct], value: dict[str, object], path: Path
) -> Iterator[tuple[Path, str]]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, field in fields.items():
        if name in value:
            yield from _mistakes(field.type, value[name], (*path, name))
        elif field.required:
            yield (*path, name), _MISSING.format(name)
    if kind.__struct_config__.forbid_unknown_fields:
        for name in value.keys() - fields.keys():
            yield (*path, name), _UNKNOWN.format(name[:MAX_PATH])


def _mistakes_of_key(kind: object, key: str) -> str:
    try:
        msgspec.convert(key, type=kind)
    except msgspec.ValidationError as exc:
        return f"Wrong name: {_message(exc)}"
    return ""


def _for_value(kind: object, value: object) -> object:
    """Without annotations, and of a union the member that a value of this form can be meant for."""
    while typing.get_origin(kind) is typing.Annotated:
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) not in (Union, types.UnionType):
        return kind
    members = [_for_value(member, value) for member in typing.get_args(kind)]
    return next((member for member in members if _holds(member, value)), kind)


def _holds(kind: object, value: object) -> bool:
    if isinstance(value, dict):
        return _is_struct(kind) or typing.get_origin(kind) is dict
    return isinstance(value, list) and typing.get_origin(kind) is tuple


def _is_struct(kind: object) -> typing.TypeGuard[type[msgspec.Struct]]:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _message(exc: Exception) -> str:
    return str(exc).partition(" - at `")[0]
