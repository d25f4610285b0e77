"""Agent events as message types, one per `type`, made from the table of their types."""

from collections.abc import Iterable
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec

from gateway.wire.agent import EVENTS, Error, Failed, FlatProgress, Message, PullRequest, Target
from gateway.wire.flat_events import TRANSLATED

Id = Annotated[str, msgspec.Meta(max_length=128)]
Field = tuple[str, object] | tuple[str, object, object]

_FLAT: Final[dict[str, type[Message]]] = {
    **EVENTS,
    "task.progress": FlatProgress,
    "workspace.created": FlatProgress,
    "workspace.status": FlatProgress,
    "workspace.failed": Failed,
    "pr.created": PullRequest,
}
_OF_SCRIPTS: Final[tuple[Field, ...]] = (
    ("workspace_id", str | None, None),
    ("status", str | None, None),
    ("message", str | None, None),
    ("summary", str | None, None),
    ("error", Error | str | None, None),
)
"""Further fields of today's scripts; long texts are cut, and a missing `error` is made of them."""


def signed_events() -> object:
    """The body of a signed webhook: an envelope, told apart by `type`."""
    return _union(_signed(name, kind) for name, kind in EVENTS.items())


def flat_events() -> object:
    """The same with the envelope's fields flat, and what today's scripts send."""
    return _union(_flat(name, kind) for name, kind in _FLAT.items())


def _signed(name: str, kind: type[Message]) -> type[msgspec.Struct]:
    title = _title(name)
    data = _struct(f"{title}Data", kind, (*_fields(Target), *_fields(kind)))
    timestamp = Annotated[str, msgspec.Meta(max_length=64)]
    return _struct(title, kind, (("data", data), ("timestamp", timestamp, "")), tag=name)


def _flat(name: str, kind: type[Message]) -> type[msgspec.Struct]:
    envelope: tuple[Field, ...] = (("id", Id | None, None), ("task_id", str | None, None))
    scripts = _OF_SCRIPTS if name in TRANSLATED else ()
    warnings: Field = ("warnings", tuple[str, ...] | str | None, None)  # cut, as all texts are
    fields = (*envelope, *map(_lenient, _fields(kind)), warnings, *scripts)
    return _struct(f"Flat{_title(name)}", kind, fields, tag=name)


def _lenient(field: Field) -> Field:
    """A field that may be empty or null where it may be absent; where it may not, an empty text is
    missing too."""
    if len(field) == 2:
        return (field[0], _text(field[1], 1) or field[1])
    members = [member for member in _members(field[1]) if member is not NoneType]
    texts = [_text(member, None) or member for member in members]
    empty = () if texts != members or str in members else (Literal[""],)
    return (field[0], _union([*texts, *empty, None]), None)


def _text(kind: object, least: int | None) -> object | None:
    """The same text with another least length; None: it is no text."""
    if kind is str or get_args(kind)[:1] != (str,):
        return None
    (bounds,) = get_args(kind)[1:]
    return Annotated[str, msgspec.Meta(min_length=least, max_length=bounds.max_length)]


def _members(kind: object) -> tuple[object, ...]:
    return get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)


def _struct(
    title: str, kind: type[Message], fields: Iterable[Field], *, tag: str | None = None
) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        title,
        {field[0]: field for field in fields}.values(),
        namespace={"__doc__": kind.__doc__},
        tag_field="type" if tag else None,
        tag=tag,
        rename="camel",
        kw_only=True,
    )


def _fields(kind: type[msgspec.Struct]) -> list[Field]:
    return [
        (field.name, field.type) if field.required else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(kind)
    ]


def _title(name: str) -> str:
    """`task.pr_created` as `TaskPrCreated`."""
    return "".join(word.capitalize() for word in name.replace(".", "_").split("_"))


def _union(kinds: Iterable[Any]) -> object:
    return Union[tuple(kinds)]  # noqa: UP007 - made at run time
