"""Values of another type with the same fields."""

from functools import cache
from typing import TypeVar, get_args

import msgspec

from gateway.wire.times import Moment, rfc3339

V = TypeVar("V", bound=msgspec.Struct)


def convert(kind: type[V], source: object, **own: object) -> V:
    """A `kind` whose fields are `own`, or else the attributes of `source` with the same names, or
    else their defaults. Milliseconds become RFC 3339 where the field is a `Moment`."""
    for name, is_required, is_moment in _fields(kind):
        if name not in own and (is_required or hasattr(source, name)):
            value = getattr(source, name)
            own[name] = rfc3339(value) if is_moment and isinstance(value, int) else value
    return kind(**own)


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, bool, bool], ...]:
    return tuple(
        (field.name, field.required, Moment in (field.type, *get_args(field.type)))
        for field in msgspec.structs.fields(kind)
    )
