"""Schemas of event types: bounded when they are put, and what they find wrong with data.

A schema is untrusted: its patterns run in linear time, it reads no other document, and it unfolds
to few enough parts that no data of an event keeps the gateway busy.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gateway.domain.kernel.errors import ApiError
from gateway.wire.decode import MAX_ERRORS, path_text
from gateway.wire.problem import FieldError

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

SCHEMA_BYTES: Final = 64 * 1024
MAX_LEVELS: Final = 32
MAX_PARTS: Final = 1_000
"""Objects and lists of a schema, those behind each `$ref` counted again."""
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCES: Final = frozenset({"$ref", "$dynamicRef"})
_PATTERN_BYTES: Final = 256 * 1024
_MESSAGE: Final = 300
"""Characters of a message, which quotes the data."""


def check_schema(schema: Mapping[str, Any]) -> str:
    """The schema as JSON; or `invalid_schema`, with the reason."""
    text = msgspec.json.encode(schema)
    if len(text) > SCHEMA_BYTES:
        raise _invalid(f"It has more than {SCHEMA_BYTES} bytes.")
    if schema.get("$schema", DIALECT) != DIALECT:
        raise _invalid(f"Its `$schema` is not {DIALECT}.")
    if _Unfolding(schema).parts(schema, 0, ()) > MAX_PARTS:
        raise _invalid(f"It unfolds to more than {MAX_PARTS} parts.")
    try:
        _validator(text.decode())
    except ValueError as exc:
        raise _invalid(str(exc).partition("\n")[0][:_MESSAGE]) from exc
    return text.decode()


def check_data(schema: str, data: bytes, root: str = "data") -> None:
    """Refuses data that does not match: `schema_mismatch`, with each place."""
    problems = _validator(schema).iter_errors(msgspec.json.decode(data))
    errors = tuple(
        FieldError(path=path_text((root, *found.instance_path)), message=found.message[:_MESSAGE])
        for found in islice(problems, MAX_ERRORS)
    )
    if errors:
        raise ApiError(
            "schema_mismatch",
            f"{errors[0].path}: {errors[0].message}",
            hint="GET /v1/event-types/{name} has the schema.",
            errors=errors,
        )


@lru_cache(maxsize=256)
def _validator(schema: str) -> "Draft202012Validator":
    # Imported on demand: 14 MB that only those with a catalogue need.
    from jsonschema_rs import Draft202012Validator, RegexOptions  # noqa: PLC0415

    patterns = RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES)
    return Draft202012Validator(msgspec.json.decode(schema), pattern_options=patterns, offline=True)


class _Unfolding:
    """The size of a schema with the parts behind its references in their place."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._known: dict[str, int] = {}

    def parts(self, value: object, level: int, via: tuple[str, ...]) -> int:
        """The parts of a value; `via` are the references that lead to it."""
        if level > MAX_LEVELS:
            raise _invalid(f"It is nested deeper than {MAX_LEVELS} levels.")
        count = 1
        for name, inner in _inner(value):
            if name == "$id":
                raise _invalid("`$id` is not taken: a reference would mean another part by it.")
            if name in _REFERENCES and isinstance(inner, str):
                count += self._behind(inner, level, via)
            elif isinstance(inner, dict | list):
                count += self.parts(inner, level + 1, via)
        return min(count, MAX_PARTS + 1)

    def _behind(self, reference: str, level: int, via: tuple[str, ...]) -> int:
        if not reference.startswith("#/"):
            raise _invalid(f"Expected a `$ref` such as #/$defs/name, not {reference[:100]}.")
        if reference in via:
            raise _invalid(f"{reference[:100]} refers to itself.")
        if reference not in self._known:
            found = self._find(reference)
            self._known[reference] = self.parts(found, level + 1, (*via, reference))
        return self._known[reference]

    def _find(self, reference: str) -> object:
        """The part at a JSON pointer."""
        found: Any = self._root
        for step in reference[2:].split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            elif isinstance(found, dict) and name in found:
                found = found[name]
            else:
                raise _invalid(f"Nothing is at {reference[:100]}.")
        return found


def _inner(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from (("", each) for each in value)


def _invalid(reason: str) -> ApiError:
    return ApiError("invalid_schema", reason, errors=(FieldError(path="$.schema", message=reason),))
