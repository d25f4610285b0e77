"""Schemas of the OpenAPI document as types of TypeScript."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from tests.clients.names import ENUMS, EVENT_DATA, EXTENDED, HANDWRITTEN, NOT_IN_DATA, TYPES

Json = dict[str, Any]

REFERENCE: Final = "#/components/schemas/"
PAGE: Final = "Page_"
WIDTH: Final = 100
OPEN: Final = "(string & {})"
"""Any text, beside known ones that an editor goes on to offer."""
_PLAIN: Final = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


class Types:
    """The types of a document's schemas."""

    def __init__(self, document: Json) -> None:
        self.schemas: Json = document["components"]["schemas"]
        self._enums = {name: tuple(self._values(*field)) for name, field in ENUMS.items()}

    def _values(self, schema: str, field: str) -> Sequence[str]:
        """The texts that a field may have; of an open set those that are known."""
        found: Json = self.schemas[schema]["properties"][field]
        known: list[str] = next(one["enum"] for one in found.get("anyOf", [found]))
        return known

    def of(self, schema: Json, *, is_input: bool = False) -> str:
        """The type of a schema; of an input, what a caller may give for it."""
        if "$ref" in schema:
            return self.name_of(schema["$ref"])
        if "anyOf" in schema:
            kinds = dict.fromkeys(self.of(one, is_input=is_input) for one in schema["anyOf"])
            if "string" in kinds and any("enum" in one for one in schema["anyOf"]):
                return " | ".join([*(kind for kind in kinds if kind != "string"), OPEN])
            return " | ".join(kinds)
        if "enum" in schema:
            return self._union(schema["enum"])
        if schema.get("type") == "array":
            item = self.of(schema.get("items", {}), is_input=is_input)
            return f"({item})[]" if " | " in item else f"{item}[]"
        if schema.get("format") == "date-time" and is_input:
            return "string | Date"
        values = schema.get("additionalProperties")
        if isinstance(values, dict):
            return f"Record<string, {self.of(values, is_input=is_input)}>"
        if "pattern" in schema:
            return "string"
        any_object = "object" if is_input else "Record<string, unknown>"
        return _PLAIN.get(schema.get("type", ""), any_object)

    def name_of(self, reference: str) -> str:
        """`TaskView` as `Task`, `Page_TaskView_` as `Page<Task>`."""
        name = reference.removeprefix(REFERENCE)
        if name.startswith(PAGE):
            return f"Page<{self.name_of(name.removeprefix(PAGE).removesuffix('_'))}>"
        return TYPES.get(name, name.removesuffix("View"))

    def _union(self, values: Sequence[str]) -> str:
        for name, known in self._enums.items():
            if set(known) <= set(values) and len(known) > 2:
                rest = [json.dumps(value) for value in values if value not in known]
                return " | ".join([name, *rest])
        return " | ".join(json.dumps(value) for value in values)

    def reached_from(self, schemas: Iterable[Json]) -> list[str]:
        """The names of all schemas that these refer to, each once, in the order of the document."""
        found = set[str]()
        pending = list(schemas)
        while pending:
            for name in set(_references(pending.pop())) - found:
                found.add(name)
                pending.append(self.schemas[name])
        return [name for name in self.schemas if name in found]

    def enums(self) -> Iterator[str]:
        """The unions that have a name."""
        for name, values in self._enums.items():
            yield f"export type {name} =\n{wrapped(json.dumps(value) for value in values)};"

    def declarations(self, names: Iterable[str], inputs: Iterable[str]) -> Iterator[str]:
        """An interface for each of these schemas."""
        inputs = frozenset(inputs)
        types = dict.fromkeys(ENUMS, "a union")
        for name in names:
            if name.startswith(PAGE) or name in HANDWRITTEN:
                continue
            title = self.name_of(name)
            if title in types:
                raise ValueError(f"{name} and {types[title]} would both be {title}")
            types[title] = name
            yield self._interface(title, name, is_input=name in inputs)

    def _interface(self, title: str, schema_name: str, *, is_input: bool) -> str:
        schema, other = self.schemas[schema_name], EXTENDED.get(schema_name, "")
        required, properties = schema.get("required", ()), schema["properties"]
        known = self.schemas[other]["properties"] if other else {}
        if not known.items() <= properties.items():
            raise ValueError(f"{schema_name} has not all fields of {other}")
        extends = f" extends {self.name_of(other)}" if other else ""
        lines = [comment(schema["description"]), f"export interface {title}{extends} {{"]
        for name, field in properties.items():
            if name in known:
                continue
            mark, also = ("", "") if name in required else ("?", " | undefined" * is_input)
            lines.append(f"  {name}{mark}: {self.of(field, is_input=is_input)}{also};")
        return "\n".join([*lines, "}"])

    def fields_of_event(self) -> str:
        """All that an event has, whichever its type."""
        properties = self.schemas["EventView"]["properties"]
        hidden = {"type", "data", "taskId", "taskSeq", "attempt", "customer", "eventId"}
        lines = [
            f"  {name}: {self.of(field)};"
            for name, field in properties.items()
            if name not in hidden
        ]
        return "\n".join(["interface EventFields {", *lines, "}"])

    def event_data(self) -> str:
        """The `data` of each type of event."""
        lines = [
            f"  {json.dumps(kind)}: {self._data_of(EVENT_DATA.get(kind, ''))};"
            for kind in self._enums["EventType"]
        ]
        return "\n".join(["export interface EventData {", *lines, "}"])

    def _data_of(self, name: str) -> str:
        if not name or name.startswith("{"):
            return name or "Record<string, unknown>"
        fields = [
            f"{field}?: {self.of(schema)}"
            for field, schema in self.schemas[name]["properties"].items()
            if field not in NOT_IN_DATA
        ]
        return f"{{ {'; '.join([*fields, '[field: string]: unknown'])} }}"


def comment(text: str, indent: str = "") -> str:
    return f"{indent}/** {text.replace('*/', '* /')} */"


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        reference = schema.get("$ref", "")
        if reference.startswith(REFERENCE):
            yield reference.removeprefix(REFERENCE)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def wrapped(values: Iterable[str]) -> str:
    """A union over as many lines as it needs."""
    lines = [""]
    for value in values:
        if len(lines[-1]) + len(value) > WIDTH:
            lines.append("")
        lines[-1] += f" | {value}"
    return "\n".join(f"  {line.strip()}" for line in lines)
