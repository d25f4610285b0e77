"""From message types to the component schemas of the OpenAPI document."""

from collections.abc import Iterable, Iterator
from typing import Final, cast, get_args

import msgspec

from gateway.domain.deliveries.type_patterns import TYPE_PATTERN
from gateway.domain.operations.bulk import BulkStatus, BulkVerb
from gateway.domain.tasks.event import ABOUT_ENDPOINTS, ABOUT_OPERATIONS, FACTS, OF_NO_TASK
from gateway.domain.tasks.task import CLOCK_NAMES, FLAG_ORDER, PUBLIC_CLOCK, Status
from gateway.web.http.headers import Schema
from gateway.web.http.operation import Operation
from gateway.wire.launcher import SandboxState
from gateway.wire.message import Reply
from gateway.wire.problem import Problem

ENUMS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("TaskView", "status"): tuple(Status),
    ("WholeTaskView", "status"): tuple(Status),
    ("AttemptView", "status"): tuple(Status),
    ("DeliveryView", "status"): ("pending", "delivered", "dead", "superseded", "held"),
    ("DeliveryAttemptView", "trigger"): ("auto", "manual", "replay"),
    ("BulkPreview", "action"): get_args(BulkVerb),
    ("BulkView", "action"): get_args(BulkVerb),
    ("BulkView", "status"): get_args(BulkStatus),
    ("WholeBulkView", "action"): get_args(BulkVerb),
    ("WholeBulkView", "status"): get_args(BulkStatus),
    ("FlagView", "code"): FLAG_ORDER,
    ("SandboxView", "state"): get_args(SandboxState),
    ("DeadlineView", "what"): tuple(
        dict.fromkeys(PUBLIC_CLOCK.get(name, name) for name in CLOCK_NAMES)
    ),
    ("Notice", "type"): tuple(name for name in FACTS if name not in OF_NO_TASK),
    ("EndpointNotice", "type"): tuple(name for name in FACTS if name in ABOUT_ENDPOINTS),
    ("AlertNotice", "type"): tuple(name for name in FACTS if name in ABOUT_OPERATIONS),
    ("EventView", "source"): ("api", "agent", "launcher", "gateway", "github"),
}
"""Fields with a few values, by message and field: the rules own these, the messages carry text."""


TYPES: Final = (("DeliveryView", "type"), ("EventView", "type"))
"""Fields with a type of ours, or of an application's own."""


class Schemas:
    """The schemas of every message type that these operations use, and of further ones."""

    def __init__(self, operations: Iterable[Operation], more: Iterable[object]) -> None:
        self._kinds = [Problem, *_kinds(operations), *more]
        self._schemas, self.components = msgspec.json.schema_components(
            self._kinds, ref_template="#/components/schemas/{name}"
        )
        for schema in self.components.values():
            _drop_defaults(schema.get("properties", {}))
        for name, fields in _with_sent_fields(Reply):
            if name in self.components:
                self.components[name]["required"] = fields
        for (name, field), values in ENUMS.items():
            cast("Schema", self.components[name]["properties"][field])["enum"] = list(values)

        for name, field in TYPES:
            of_either = [{"enum": list(FACTS)}, {"pattern": TYPE_PATTERN}]
            cast("Schema", self.components[name]["properties"][field])["anyOf"] = of_either

    def of(self, kind: object) -> Schema:
        """The schema of one of the types, mostly a reference."""
        return self._schemas[self._kinds.index(kind)]


def _drop_defaults(properties: dict[str, Schema]) -> None:
    """Drops defaults that say nothing: null, or an object that has its own."""
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


def _with_sent_fields(kind: type[msgspec.Struct]) -> Iterator[tuple[str, list[str]]]:
    """Messages with the fields that are always sent: all but those whose default is UNSET. Those of
    the Python client have names of their own, which are no components."""
    for reply in kind.__subclasses__():
        if reply.__module__.startswith("gateway.") and not reply.__struct_config__.omit_defaults:
            fields = msgspec.structs.fields(reply)
            yield (
                reply.__name__,
                [field.encode_name for field in fields if field.default is not msgspec.UNSET],
            )
        yield from _with_sent_fields(reply)
