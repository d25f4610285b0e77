"""Strict decoding of request bodies: fast if they are valid, naming every wrong path if not."""

import types
import typing
from collections.abc import Iterator, Mapping
from itertools import accumulate, islice
from typing import Final, Literal, TypeVar, Union

import msgspec

from gateway.wire.problem import FieldError

T = TypeVar("T")
Code = Literal["invalid_json", "invalid_request", "unknown_event_type"]

MAX_ERRORS: Final = 50
"""The most wrong paths that one answer names."""
MAX_STEPS: Final = 5_000
"""The most values that are checked one by one (2 us each); of more, one mistake is named."""
MAX_CONTAINERS: Final = 50_000
"""Lists and objects in one body; a sweep's report has some thousand."""
MAX_FIELDS: Final = 20_000
"""Fields of all objects of one body; bodies with more are checked separately."""
MAX_TEXTS: Final = 20_000
"""Texts of one body; bodies with more are checked separately."""
MAX_PATH: Final = 200
"""Characters."""
MAX_MESSAGE: Final = 300
"""Characters; a message may quote the value, which may be as long as a body."""
MAX_DEPTH: Final = 32
_LEVELS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""Brackets as signed bytes: +1 or -1 level."""
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_PIECE: Final = 64 * 1024
"""Brackets that are counted at a time."""
_PATTERN: Final = "matching regex"
_RAW: Final = "Expected `raw`"
_MISSING: Final = "Object missing required field `{}`"
_UNKNOWN: Final = "Object contains unknown field `{}`"

Step = str | int
Path = tuple[Step, ...]


class WrongShape(Exception):
    """A body that is not JSON (`invalid_json`), or has wrong fields, with every wrong path."""

    def __init__(self, code: Code, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.errors = errors


def decode(kind: type[T], body: bytes) -> T:
    """Decodes a JSON body strictly as `kind`.

    Raises:
        WrongShape: `invalid_json`, or `invalid_request` with all wrong paths.
    """
    check_size(body)
    try:
        if _is_large(body):
            _check_large(kind, body)
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as exc:
        raise _explained(kind, body, exc) from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise not_json(exc) from exc


def _check_large(kind: object, body: bytes) -> None:
    """Refuses an invalid struct. msgspec matches all names of a dictionary, and all texts of a
    list, with their pattern before it counts them, and holds the GIL meanwhile (350,000 texts:
    0.2 s); here those of one that is too large are not matched.

    Raises:
        WrongShape: `invalid_request`.
    """
    if not _is_struct(kind) or _has_raw_fields(kind):
        return
    value = msgspec.json.decode(body)
    if not isinstance(value, dict):
        return
    found: list[tuple[Path, str]] = []
    for field in msgspec.structs.fields(kind):
        entries, most = value.get(field.encode_name), _most_entries(field.type)
        if isinstance(entries, dict) and most is not None and len(entries) > most:
            del value[field.encode_name]
            found += _Walk().in_many(field.type, entries, (field.encode_name,)) or [
                ((field.encode_name,), f"Expected `object` of length <= {most}")
            ]
    found += mistakes_in(kind, value, most=MAX_ERRORS)
    if found:
        raise wrong_shape(found)
    try:
        msgspec.convert(value, type=kind)
    except msgspec.ValidationError as exc:
        raise _out_of_range(exc) from exc


def _has_raw_fields(kind: type[msgspec.Struct]) -> bool:
    """True if a part stays as it came: it is no value, and its reader checks it."""
    return any(_for_value(each.type, None) is msgspec.Raw for each in msgspec.structs.fields(kind))


def _most_entries(kind: object) -> int | None:
    """The maximal length of a dictionary type; None for other types."""
    if typing.get_origin(kind) is not typing.Annotated:
        return None
    inner, *more = typing.get_args(kind)
    lengths = (each.max_length for each in more if isinstance(each, msgspec.Meta))
    return next(lengths, None) if typing.get_origin(inner) is dict else None


def not_json(exc: Exception) -> WrongShape:
    """The error for a body that is no JSON, or is nested too deeply."""
    if isinstance(exc, RecursionError):
        return WrongShape(
            "invalid_json", f"The body is nested too deeply: keep to {MAX_DEPTH} levels."
        )
    if isinstance(exc, UnicodeDecodeError):
        return WrongShape("invalid_json", "The body is not UTF-8.")
    return WrongShape("invalid_json", f"The body is not valid JSON: {exc}.")


def check_depth(body: bytes) -> None:
    """Refuses a body that is nested too deeply or has too many values.

    msgspec accepts as many levels as the stack has left, so that a stored body could be too deep
    for its next reader; Ruby gives up at 100, .NET at 64.

    Raises:
        WrongShape: `invalid_json`, or `invalid_request` for too many values.
    """
    check_size(body)
    if _has_many_fields(body):
        raise _too_many(MAX_FIELDS, "fields")
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth(_outside(body)) > MAX_DEPTH:
        raise WrongShape("invalid_json", f"The body is nested deeper than {MAX_DEPTH} levels.")


def check_size(body: bytes) -> None:
    """Refuses a body with more lists and objects than can be made in a few milliseconds: the
    decoder holds the GIL, so that a thread would not help.

    Raises:
        WrongShape: `invalid_request`.
    """
    if body.count(b"[") + body.count(b"{") <= MAX_CONTAINERS:
        return
    outside = _outside(body)
    if outside.count(b"[") + outside.count(b"{") > MAX_CONTAINERS:
        if _depth(outside[:_PIECE]) > _PIECE // 64:
            raise WrongShape(
                "invalid_json", f"The body is nested too deeply: keep to {MAX_DEPTH} levels."
            )
        raise _too_many(MAX_CONTAINERS, "lists and objects")


def _too_many(most: int, what: str) -> WrongShape:
    error = FieldError(path="$", message=f"Expected at most {most} {what} in all")
    return WrongShape("invalid_request", _summary((error,)), (error,))


def _is_large(body: bytes) -> bool:
    """True if a body holds so many names or texts that they are counted before they are checked."""
    return body.count(b'"') > 2 * MAX_TEXTS or _has_many_fields(body)


def _has_many_fields(body: bytes) -> bool:
    if body.count(b":") <= MAX_FIELDS:
        return False
    # The usual form, without finding strings: ten times as fast.
    usual = body.count(b'":') - body.count(b'\\":')
    return usual > MAX_FIELDS or _outside(body).count(b":") > MAX_FIELDS


def _outside(body: bytes) -> bytes:
    """The JSON without its strings."""
    without_escapes = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(without_escapes.split(b'"')[::2])


def _depth(outside: bytes) -> int:
    """The deepest nesting of JSON without strings, without a step of Python for each bracket."""
    steps = memoryview(outside.translate(_LEVELS, _NO_BRACKETS)).cast("b")
    depth = deepest = 0
    for start in range(0, len(steps), _PIECE):
        levels = [*accumulate(steps[start : start + _PIECE], initial=depth)]
        depth, deepest = levels[-1], max(deepest, *levels)
    return deepest


def wrong_shape(mistakes: list[tuple[Path, str]]) -> WrongShape:
    errors = tuple(
        FieldError(path=path_text(path), message=message[:MAX_MESSAGE])
        for path, message in mistakes[:MAX_ERRORS]
    )
    return WrongShape("invalid_request", _summary(errors), errors)


def mistakes_in(
    kind: object, value: object, *, most: int = MAX_STEPS, steps: Iterator[object] | None = None
) -> list[tuple[Path, str]]:
    """The paths at which a decoded value is no `kind`, in the order of the fields; at most `most`,
    and only among the values that are reached before `steps` runs out."""
    return list(islice(_Walk(steps).mistakes(kind, value, ()), most))


def path_text(path: Path) -> str:
    """`("env", "A")` as `$.env.A`, `("validate", 0)` as `$.validate[0]`; at most 200 characters."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return ("$" + "".join(steps))[:MAX_PATH]


def _explained(kind: object, body: bytes, first: msgspec.ValidationError) -> WrongShape:
    try:
        value = msgspec.json.decode(body)
    except msgspec.ValidationError:  # a number no float can hold
        return _out_of_range(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        return not_json(exc)
    found = mistakes_in(kind, value, most=MAX_ERRORS)
    return wrong_shape(found) if found else _out_of_range(first)


def _out_of_range(exc: msgspec.ValidationError) -> WrongShape:
    """The error for a mistake that only msgspec found: its text names the path."""
    message, _, place = str(exc).partition(" - at `")
    error = FieldError(path=place.rstrip("`")[:MAX_PATH] or "$", message=message[:MAX_MESSAGE])
    return WrongShape("invalid_request", _summary((error,)), (error,))


def _summary(errors: tuple[FieldError, ...]) -> str:
    if len(errors) == 1:
        return f"{errors[0].path}: {errors[0].message}."
    return f"{len(errors)} fields are wrong, the first is {errors[0].path}."


class _Walk:
    """A lazy search for mistakes, bounded by steps."""

    def __init__(self, steps: Iterator[object] | None = None) -> None:
        self._steps = iter(range(MAX_STEPS)) if steps is None else steps
        self._is_over = False

    def in_many(self, kind: object, value: object, path: Path) -> list[tuple[Path, str]]:
        """The first mistakes inside a container that is too large to check as a whole."""
        return list(islice(self._inside(_for_value(kind, value), value, path), MAX_ERRORS))

    def mistakes(self, kind: object, value: object, path: Path) -> Iterator[tuple[Path, str]]:
        self._is_over = self._is_over or next(self._steps, None) is None
        if self._is_over:
            return
        try:
            msgspec.convert(value, type=kind)
        except (msgspec.ValidationError, RecursionError) as exc:
            inner = self._inside(_for_value(kind, value), value, path)
            first = next(inner, None)
            if first is not None:
                yield first
                yield from inner
            # A decoded value is never raw; the reader of such a part checks it.
            elif not str(exc).startswith(_RAW) and not self._is_over:
                yield path, _message(exc, kind)

    def _inside(self, kind: object, value: object, path: Path) -> Iterator[tuple[Path, str]]:
        arguments = typing.get_args(kind)
        if isinstance(value, dict) and _is_struct(kind):
            yield from self._in_struct(kind, value, path)
        elif isinstance(value, dict) and typing.get_origin(kind) is dict:
            for key, item in value.items():
                if message := _mistakes_of_key(arguments[0], key):
                    yield (*path, key), message
                yield from self.mistakes(arguments[1], item, (*path, key))
                if self._is_over:
                    return
        elif isinstance(value, list) and typing.get_origin(kind) is tuple:
            for index, item in enumerate(value):
                yield from self.mistakes(arguments[0], item, (*path, index))
                if self._is_over:
                    return

    def _in_struct(
        self, kind: type[msgspec.Struct], value: dict[str, object], path: Path
    ) -> Iterator[tuple[Path, str]]:
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        replaced: Mapping[str, str] = getattr(kind, "REPLACED_BY", {})
        for name, field in fields.items():
            if name in value:
                yield from self.mistakes(field.type, value[name], (*path, name))
            elif field.required or (name in replaced and replaced[name] not in value):
                yield (*path, name), _MISSING.format(name)
        if kind.__struct_config__.forbid_unknown_fields:
            for name in value:
                if name not in fields:
                    yield (*path, name), _UNKNOWN.format(name[:MAX_PATH])


def _mistakes_of_key(kind: object, key: str) -> str:
    try:
        msgspec.convert(key, type=kind)
    except msgspec.ValidationError as exc:
        return f"Wrong name: {_message(exc, kind)}"
    return ""


def _for_value(kind: object, value: object) -> object:
    """The type without annotations; of a union, the member for values of this form."""
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


def _message(exc: Exception, kind: object) -> str:
    """The message of msgspec; for a pattern, its description instead."""
    message = str(exc).partition(" - at `")[0]
    described = _description(kind) if _PATTERN in message else None
    return f"Expected {described}" if described else message


def _description(kind: object) -> str | None:
    inner = (_description(each) for each in typing.get_args(kind) if typing.get_origin(each))
    own = (each.description for each in typing.get_args(kind) if isinstance(each, msgspec.Meta))
    return next((text for text in (*own, *inner) if text), None)
