"""The words of agents as message types, one per `type`, made from the table of words."""

from collections.abc import Iterable
from typing import Annotated, Any, Final, Union

import msgspec

from gateway.wire.agent import (
    WORDS,
    Addressed,
    Error,
    Failed,
    FlatProgress,
    Message,
    PullRequest,
)
from gateway.wire.flat import TRANSLATED

Id = Annotated[str, msgspec.Meta(max_length=128)]
Field = tuple[str, object] | tuple[str, object, object]

_FLAT: Final[dict[str, type[Message]]] = {
    **WORDS,
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
"""What today's scripts say beside; long texts are cut, and a missing `error` is made of them."""


def signed_words() -> object:
    """The body of a signed webhook: an envelope, told apart by `type`."""
    return _either(_signed(name, kind) for name, kind in WORDS.items())


def flat_words() -> object:
    """The same with the envelope's fields flat, and what today's scripts send."""
    return _either(_flat(name, kind) for name, kind in _FLAT.items())


def _signed(name: str, kind: type[Message]) -> type[msgspec.Struct]:
    title = _title(name)
    data = _struct(f"{title}Data", kind, (*_fields(Addressed), *_fields(kind)))
    timestamp = Annotated[str, msgspec.Meta(max_length=64)]
    return _struct(title, kind, (("data", data), ("timestamp", timestamp, "")), tag=name)


def _flat(name: str, kind: type[Message]) -> type[msgspec.Struct]:
    envelope: tuple[Field, ...] = (("id", Id | None, None), ("task_id", str | None, None))
    scripts = _OF_SCRIPTS if name in TRANSLATED else ()
    return _struct(f"Flat{_title(name)}", kind, (*envelope, *_fields(kind), *scripts), tag=name)


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


def _either(kinds: Iterable[Any]) -> object:
    return Union[tuple(kinds)]  # noqa: UP007 - made at run time
