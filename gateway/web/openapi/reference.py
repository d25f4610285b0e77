"""The OpenAPI document as a page: its values, in the form in which the template shows them."""

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec
from markupsafe import Markup, escape

Json = dict[str, Any]

TEMPLATE: Final = Path(__file__).parents[2] / "docs" / "api.html"
_CODE: Final = re.compile("`([^`]+)`")
_REFERENCE: Final = "#/components/schemas/"
_BOUNDS: Final = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "above {}"),
    ("maximum", "at most {}"),
    ("maxLength", "up to {} characters"),
    ("maxItems", "up to {}"),
    ("maxProperties", "up to {} entries"),
    ("default", "default {}"),
)


def reference(document: Json, style: str) -> str:
    """The page of a document."""
    operations = [*_operations(document["paths"]), *_operations(document["webhooks"])]
    page: str = _template().render(
        style=style,
        info=document["info"],
        tags=[
            {**tag, "operations": [one for one in operations if tag["name"] in one["tags"]]}
            for tag in document["tags"]
        ],
        schemas=sorted(document["components"]["schemas"].items()),
        examples=_examples(operations),
    )
    return page


def _operations(paths: Json) -> Iterator[Json]:
    for path, methods in paths.items():
        for method, operation in methods.items():
            is_sent = not path.startswith("/")
            yield {
                **operation,
                "path": path,
                "method": method.upper(),
                "is_sent": is_sent,
                "curl": "" if is_sent else curl(method.upper(), path, operation),
            }


def _examples(operations: list[Json]) -> Json:
    """The first example of each message that has one of its own."""
    found: Json = {}
    for operation in operations:
        holders = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (one for holder in holders for one in holder.get("content", {}).values()):
            name = content["schema"].get("$ref", "").removeprefix(_REFERENCE)
            if name and "example" in content:
                found.setdefault(name, content["example"])
    return found


def curl(method: str, path: str, operation: Json) -> str:
    """A command that calls an operation; what has to be put in stands in capitals."""
    address = re.sub(r"{(\w+)}", lambda found: _capitals(found[1]), path)
    lines = [f'curl "$SLIPGATE_URL{address}"']
    if method != "GET":
        lines[0] = f'curl -X {method} "$SLIPGATE_URL{address}"'
    schemes = [name for one in operation["security"] for name in one]
    if "ops" in schemes:
        lines.append('-H "Authorization: Bearer $SLIPGATE_API_KEY"')
    elif "webhookId" in schemes:
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        lines += [f'-H "{name}: {_capitals(name)}"' for name in names]
    body = operation.get("requestBody", {})
    content = body.get("content", {}).get("application/json")
    if content is not None and (body["required"] or content.get("example")):
        lines.append("-H 'Content-Type: application/json'")
        lines.append(f"-d {shlex.quote(_json(content['example']))}")
    return " \\\n  ".join(lines)


def _capitals(name: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", name).replace("-", "_").upper()


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _text(text: str) -> Markup:
    """A text of the document: paragraphs, and code between backticks."""
    shown = [_CODE.sub(r"<code>\1</code>", str(escape(part))) for part in text.split("\n\n")]
    return Markup("</p><p>").join(Markup(part) for part in shown)  # noqa: S704 - escaped above


def _type(schema: Json) -> Markup:
    """The values of a schema, in words; messages are links."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        return Markup('<a href="#{0}">{0}</a>').format(name)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            kinds = dict.fromkeys(map(_type, schema[several]))
            return Markup(" | ").join(kinds)
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if values:
        return Markup(" | ").join(Markup("<code>{}</code>").format(value) for value in values)
    return _structure(schema)


def _structure(schema: Json) -> Markup:
    kind = schema.get("type", "any")
    if kind == "array":
        items = schema.get("items") or {"anyOf": schema.get("prefixItems", [])}
        return Markup("list of {}").format(_type(items))
    if isinstance(schema.get("additionalProperties"), dict):
        return Markup("map of {}").format(_type(schema["additionalProperties"]))
    return Markup("{}").format(schema.get("format", kind))


def _bounds(schema: Json) -> str:
    """The limits of a value; that a text may not be empty goes without saying."""
    own: Json = next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), {})
    known = {**own, **schema}
    found = [
        text.format(known[name]) for name, text in _BOUNDS if known.get(name) not in ("", None)
    ]
    return ", ".join(found)


def _codes(responses: Json) -> list[tuple[str, list[str]]]:
    """The error codes of an operation by status."""
    errors = [
        (status, code)
        for status, response in responses.items()
        for content in response.get("content", {}).values()
        for code in content.get("examples", ())
    ]
    return [
        (status, [code for _, code in group])
        for status, group in groupby(errors, key=lambda one: one[0])
    ]


def _successes(responses: Json) -> Mapping[str, Json]:
    return {
        status: response
        for status, response in responses.items()
        if not any("examples" in one for one in response.get("content", {}).values())
    }


@cache
def _template() -> Any:  # noqa: ANN401 - jinja2's own, which is imported on demand
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - not before somebody reads

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "text": _text,
        "type": _type,
        "bounds": _bounds,
        "codes": _codes,
        "successes": _successes,
        "json": _json,
    }
    return environment.from_string(TEMPLATE.read_text("utf-8"))
