"""From message types to the component schemas of the OpenAPI document."""

from collections.abc import Iterable

import msgspec

from gateway.web.openapi.operation import Operation, Schema
from gateway.wire.problem import Problem


class Schemas:
    """The schemas of every message type that these operations use."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._kinds = [Problem, *_kinds(operations)]
        schemas, self.components = msgspec.json.schema_components(
            self._kinds, ref_template="#/components/schemas/{name}"
        )
        self._schemas: tuple[Schema, ...] = schemas

    def of(self, kind: object) -> Schema:
        """The schema of one of the types, mostly a reference."""
        return self._schemas[self._kinds.index(kind)]


def _kinds(operations: Iterable[Operation]) -> list[object]:
    kinds: list[object] = []
    for operation in operations:
        if operation.body is not None:
            kinds.append(operation.body.kind)
        for answer in operation.answers:
            kinds += [content.kind for content in answer.content]
    return kinds
