"""From message types to the component schemas of the OpenAPI document."""

from collections.abc import Iterable, Iterator
from typing import cast

import msgspec

from gateway.web.http.operation import Operation, Schema
from gateway.web.openapi.vocabulary import WORDS
from gateway.wire.message import Reply
from gateway.wire.problem import Problem


class Schemas:
    """The schemas of every message type that these operations use."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._kinds = [Problem, *_kinds(operations)]
        self._schemas, self.components = msgspec.json.schema_components(
            self._kinds, ref_template="#/components/schemas/{name}"
        )
        for schema in self.components.values():
            _spare(schema.get("properties", {}))
        for name, fields in _whole(Reply):
            if name in self.components:
                self.components[name]["required"] = fields
        for (name, field), words in WORDS.items():
            cast("Schema", self.components[name]["properties"][field])["enum"] = list(words)

    def of(self, kind: object) -> Schema:
        """The schema of one of the types, mostly a reference."""
        return self._schemas[self._kinds.index(kind)]


def _spare(properties: dict[str, Schema]) -> None:
    """Defaults that say nothing: nothing at all, or an object that has its own."""
    for field in properties.values():
        if field.get("default", 0) is None or isinstance(field.get("default"), dict | list):
            del field["default"]


def _kinds(operations: Iterable[Operation]) -> list[object]:
    kinds: list[object] = []
    for operation in operations:
        if operation.body is not None:
            kinds.append(operation.body.kind)
        if operation.callback is not None:
            kinds.append(operation.callback.kind)
        for answer in operation.answers:
            kinds += [content.kind for content in answer.content]
    return kinds


def _whole(kind: type[msgspec.Struct]) -> Iterator[tuple[str, list[str]]]:
    """Messages with the fields that are always sent: a default is no reason to be absent, only
    one that is UNSET is."""
    for reply in kind.__subclasses__():
        if not reply.__struct_config__.omit_defaults:
            fields = msgspec.structs.fields(reply)
            yield (
                reply.__name__,
                [field.encode_name for field in fields if field.default is not msgspec.UNSET],
            )
        yield from _whole(reply)
