"""Schemas of event types: bounded when they are put, and what they find wrong with data.

A schema is untrusted: its patterns run in linear time, it reads no other document, and its size
times that of the data is bounded: the validator holds the GIL, so that a thread would not help.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

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
MAX_CHECKS: Final = 4_000_000
"""Parts of a schema times values of the data (10 ns each); an entry of an `enum` is a quarter."""
MAX_MATCHES: Final = 1_000_000
"""Weight of the patterns times bytes of the data (at worst 0.3 us each)."""
MAX_QUOTED: Final = 32 * 1024 * 1024
"""Bytes that the mistakes of one event could quote: each has its value and part of the schema."""
MAX_WEIGHT: Final = 1_000
"""Of the patterns of a schema, which stay in memory: 4 KiB each."""
_WEIGHTS: Final = ((1, 4 * 1024), (4, 16 * 1024), (16, 64 * 1024))
"""Weights of patterns, with the bytes of their compiled form."""
_MESSAGE: Final = 300
"""Characters of a message, which quotes the data."""


def check_schema(schema: Mapping[str, Any]) -> str:
    """The schema as JSON; or `invalid_schema`, with the reason."""
    text = msgspec.json.encode(schema)
    if len(text) > SCHEMA_BYTES:
        raise _invalid(f"It has more than {SCHEMA_BYTES} bytes.")
    if schema.get("$schema", DIALECT) != DIALECT:
        raise _invalid(f"Its `$schema` is not {DIALECT}.")
    size = _size_of(schema)
    if size.parts > MAX_PARTS:
        raise _invalid(f"It unfolds to more than {MAX_PARTS} parts.")
    if size.patterns > MAX_WEIGHT:
        raise _invalid("It has too many or too large patterns: repeat less, `{1,9}` and the like.")
    try:
        _validator(text.decode())
    except ValueError as exc:
        raise _invalid(str(exc).partition("\n")[0][:_MESSAGE]) from exc
    return text.decode()


def check_data(schema: str, data: bytes, root: str = "data") -> None:
    """Refuses data that does not match: `schema_mismatch`, with each place; `too_large` where it
    would take too long to find out."""
    validator, size = _validator(schema)
    values = 1 + sum(map(data.count, (b",", b"[", b"{")))
    checks = (size.parts + size.entries // 4) * values
    if checks > MAX_CHECKS or size.patterns * len(data) > MAX_MATCHES:
        raise ApiError("too_large", "`data` is too large for a schema of this size.")
    value = msgspec.json.decode(data)
    if validator.is_valid(value):
        return
    errors: tuple[FieldError, ...] = ()
    # The validator finds all mistakes before it gives the first.
    if checks * (len(schema) + len(data)) <= MAX_QUOTED:
        problems = islice(validator.iter_errors(value), MAX_ERRORS)
        errors = tuple(
            FieldError(
                path=path_text((root, *found.instance_path)), message=found.message[:_MESSAGE]
            )
            for found in problems
        )
    errors = errors or (FieldError(path=f"$.{root}", message="It does not match the schema"),)
    raise ApiError(
        "schema_mismatch",
        f"{errors[0].path}: {errors[0].message}",
        hint="GET /v1/event-types/{name} has the schema.",
        errors=errors,
    )


class Size(NamedTuple):
    """The size of a schema with the parts behind its references in their place."""

    parts: int
    patterns: int
    """The weight of its patterns."""
    entries: int
    """Entries of its enumerations; those of several types are compared one by one."""


def _size_of(schema: Mapping[str, Any]) -> Size:
    """The size of a schema; or `invalid_schema`."""
    return _Unfolding(schema).size(schema, 0, ())


@lru_cache(maxsize=256)
def _validator(schema: str) -> "tuple[Draft202012Validator, Size]":
    document = msgspec.json.decode(schema)
    return _compiled(document, _WEIGHTS[-1][1]), _size_of(document)


def _compiled(schema: dict[str, Any], most: int) -> "Draft202012Validator":
    # Imported on demand: 14 MB that only those with a catalogue need.
    from jsonschema_rs import Draft202012Validator, RegexOptions  # noqa: PLC0415

    patterns = RegexOptions(size_limit=most, dfa_size_limit=most)
    return Draft202012Validator(schema, pattern_options=patterns, offline=True)


@lru_cache(maxsize=4096)
def _weight(pattern: str) -> int:
    for weight, most in _WEIGHTS:
        try:
            _compiled({"pattern": pattern}, most)
        except ValueError:
            continue
        return weight
    return _WEIGHTS[-1][0]


class _Unfolding:
    """The sizes of the parts of a schema."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._known: dict[str, Size] = {}

    def size(self, value: object, level: int, via: tuple[str, ...]) -> Size:
        """The size of a value; `via` are the references that lead to it."""
        if level > MAX_LEVELS:
            raise _invalid(f"It is nested deeper than {MAX_LEVELS} levels.")
        parts, patterns, entries = 1, 0, 0
        for name, inner in _inner(value):
            if name == "$id":
                raise _invalid("`$id` is not taken: a reference would mean another part by it.")
            patterns += sum(map(_weight, _patterns(name, inner)))
            entries += len(inner) if name == "enum" and isinstance(inner, list) else 0
            if name in _REFERENCES and isinstance(inner, str):
                found = self._behind(inner, level, via)
            elif isinstance(inner, dict | list):
                found = self.size(inner, level + 1, via)
            else:
                continue
            parts, patterns = parts + found.parts, patterns + found.patterns
            entries += found.entries
        return Size(min(parts, MAX_PARTS + 1), patterns, entries)

    def _behind(self, reference: str, level: int, via: tuple[str, ...]) -> Size:
        if not reference.startswith("#/") or "%" in reference:
            raise _invalid(f"Expected a `$ref` such as #/$defs/name, not {reference[:100]}.")
        if reference in via:
            raise _invalid(f"{reference[:100]} refers to itself.")
        if reference not in self._known:
            found = self._find(reference)
            self._known[reference] = self.size(found, level + 1, (*via, reference))
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


def _patterns(name: str, value: object) -> Iterator[str]:
    """The patterns that a keyword brings."""
    if name == "pattern" and isinstance(value, str):
        yield value
    if name == "patternProperties" and isinstance(value, dict):
        yield from value


def _invalid(reason: str) -> ApiError:
    return ApiError("invalid_schema", reason, errors=(FieldError(path="$.schema", message=reason),))
