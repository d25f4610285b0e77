"""The words of agents as message types, one per `type`, made from the table of words."""

from collections.abc import Iterable
from typing import Annotated, Any, Union

import msgspec
from msgspec.structs import FieldInfo

from gateway.wire.agent import WORDS, Addressed, FlatProgress, Message

Id = Annotated[str, msgspec.Meta(max_length=128)]


def signed_words() -> object:
    """The body of a signed webhook: an envelope, told apart by `type`."""
    return _either(_signed(name, kind) for name, kind in WORDS.items())


def flat_words() -> object:
    """The same with the envelope's fields flat."""
    kinds = {**WORDS, "task.progress": FlatProgress}
    return _either(_flat(name, kind) for name, kind in kinds.items())


def _signed(name: str, kind: type[Message]) -> type[msgspec.Struct]:
    title = _title(name)
    fields = (*msgspec.structs.fields(Addressed), *msgspec.structs.fields(kind))
    data = _struct(f"{title}Data", kind.__doc__, fields, tag=None)
    timestamp = Annotated[str, msgspec.Meta(max_length=64)]
    return msgspec.defstruct(
        title,
        [("data", data), ("timestamp", timestamp, "")],
        namespace={"__doc__": kind.__doc__},
        tag_field="type",
        tag=name,
        kw_only=True,
    )


def _flat(name: str, kind: type[Message]) -> type[msgspec.Struct]:
    own = msgspec.structs.fields(kind)
    return _struct(f"Flat{_title(name)}", kind.__doc__, own, tag=name)


def _struct(
    title: str, meaning: str | None, fields: Iterable[FieldInfo], *, tag: str | None
) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        title,
        [_field(field) for field in fields],
        namespace={"__doc__": meaning},
        tag_field="type" if tag else None,
        tag=tag,
        rename="camel",
        kw_only=True,
    )


def _field(field: FieldInfo) -> tuple[str, object] | tuple[str, object, object]:
    if field.required:
        return (field.name, field.type)
    return (field.name, field.type, field.default)


def _title(name: str) -> str:
    """`task.pr_created` as `TaskPrCreated`."""
    return "".join(word.capitalize() for word in name.replace(".", "_").split("_"))


def _either(kinds: Iterable[Any]) -> object:
    return Union[tuple(kinds)]  # noqa: UP007 - made at run time
