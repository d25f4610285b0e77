"""A value that a JSON Schema takes, for a type of the catalogue without an example.

It knows the common keywords, and looks for no text of a pattern: the caller checks what it gets.
"""

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_FORMATS: Final = {
    "date": "2026-01-05",
    "date-time": "2026-01-05T09:33:10Z",
    "duration": "P1D",
    "email": "ada@app.example",
    "hostname": "app.example",
    "idn-email": "ada@app.example",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "09:33:10Z",
    "uri": "https://app.example/",
    "uri-reference": "/",
    "uuid": "0197f0c4-7a3e-7c1d-9f7a-3b1a52b0c001",
}
"""A text of each format."""
_SCALARS: Final[Mapping[str, object]] = {"boolean": True, "null": None}
_TYPE_OF: Final = {
    **dict.fromkeys(("properties", "required", "additionalProperties"), "object"),
    **dict.fromkeys(("items", "prefixItems", "minItems", "contains"), "array"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "multipleOf"), "number"),
    **dict.fromkeys(("pattern", "format", "minLength", "maxLength"), "string"),
}
"""The type that a schema without one means by a keyword."""
_MOST: Final = 1_000
"""Of characters and of items."""


def sample_of(root: Schema) -> dict[str, Any]:
    """An object for a schema of the catalogue, which has no recursion."""

    def value_of(given: object) -> object:
        schema = flat(given)
        for name in ("const", "default"):
            if name in schema:
                return schema[name]
        for name in ("enum", "examples"):
            if schema.get(name):
                return schema[name][0]
        kind = _type_of(schema)
        if kind == "object":
            fields = schema.get("properties", {})
            names = dict.fromkeys((*fields, *schema.get("required", ())))
            return {name: value_of(fields.get(name)) for name in names}
        if kind == "array":
            first = [value_of(each) for each in schema.get("prefixItems", ())]
            more = min(schema.get("minItems", 1), _MOST) - len(first)
            return first + [value_of(schema.get("items")) for _ in range(more)]
        return _SCALARS[kind] if kind in _SCALARS else _plain(schema, kind)

    def flat(given: object) -> Schema:
        """The schema with what it refers to, all of `allOf` and the first alternatives in it."""
        schema: Schema = given if isinstance(given, Mapping) else {}
        parts = [*schema.get("allOf", ())]
        parts += [schema[name][0] for name in ("anyOf", "oneOf") if schema.get(name)]
        parts += [_at(root, schema["$ref"])] if "$ref" in schema else []
        for part in map(flat, parts):
            schema = _joined(part, schema)
        return schema

    found = value_of(root)
    return found if isinstance(found, dict) else {}


def _joined(first: Schema, second: Schema) -> Schema:
    both = {**first, **second}
    if "properties" in both:
        both["properties"] = {**first.get("properties", {}), **second.get("properties", {})}
    if "required" in both:
        both["required"] = [*first.get("required", ()), *second.get("required", ())]
    return both


def _type_of(schema: Schema) -> str:
    kind = schema.get("type") or next(
        (_TYPE_OF[name] for name in schema if name in _TYPE_OF), "string"
    )
    return str(kind[0]) if isinstance(kind, list) else str(kind)


def _plain(schema: Schema, kind: str) -> object:
    """A text or a number within its bounds."""
    if kind == "string":
        text = _FORMATS.get(schema.get("format", ""), "sample")
        return text.ljust(min(schema.get("minLength", 0), _MOST), "x")[: schema.get("maxLength")]
    step = schema.get("multipleOf", 1)
    if "minimum" in schema:
        return -(-schema["minimum"] // step) * step
    if "exclusiveMinimum" in schema:
        return (schema["exclusiveMinimum"] // step + 1) * step
    return min(step, schema.get("maximum", step), schema.get("exclusiveMaximum", step + 1) - 1)


def _at(root: object, reference: str) -> object:
    """The part at `#/$defs/name`."""
    found: Any = root
    for step in reference.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        found = found[int(name)] if isinstance(found, list) else found[name]
    return found
