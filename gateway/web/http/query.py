"""Query parameters: values that are read strictly, and documented from the same bounds."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import msgspec
from starlette.datastructures import QueryParams

from gateway.domain.kernel.errors import ApiError
from gateway.web.http.fields import wrong_field
from gateway.web.http.headers import Schema
from gateway.wire.times import milliseconds, parse_rfc3339

V = TypeVar("V")


class Query(msgspec.Struct, Generic[V], frozen=True, kw_only=True):
    """A query parameter; its kinds say what they take."""

    name: str
    meaning: str
    where: str = "query"

    @property
    def schema(self) -> Schema:
        """JSON Schema of its value."""
        return {"type": "string"}

    def takes(self, name: str) -> bool:
        """True if a parameter of this name is meant."""
        return name == self.name

    def of(self, given: Mapping[str, str]) -> V:
        """The value in a request, or its default; or `invalid_request`."""
        raise NotImplementedError


class Number(Query[int], frozen=True, kw_only=True):
    """A whole number within bounds; a default below them means something else than any number."""

    default: int
    least: int
    most: int

    @property
    def schema(self) -> Schema:
        default: Schema = {"default": self.default} if self.default >= self.least else {}
        return {"type": "integer", "minimum": self.least, "maximum": self.most, **default}

    def of(self, given: Mapping[str, str]) -> int:
        text = given.get(self.name)
        if text is None:
            return self.default
        if is_number(text) and self.least <= int(text) <= self.most:
            return int(text)
        raise wrong_parameter(
            self.name, f"Expected a whole number from {self.least} to {self.most}"
        )


class Choices(Query[list[str]], frozen=True, kw_only=True):
    """Some of the known words, separated by commas, each once."""

    known: tuple[str, ...]
    default: tuple[str, ...]

    @property
    def schema(self) -> Schema:
        return _list_schema(self.known)

    def of(self, given: Mapping[str, str]) -> list[str]:
        text = given.get(self.name)
        if text is None:
            return list(self.default)
        chosen = list(dict.fromkeys(text.split(",")))
        if not set(chosen) <= set(self.known):
            raise wrong_parameter(self.name, f"Expected some of {', '.join(self.known)}")
        return chosen


class Text(Query[str | None], frozen=True, kw_only=True):
    """A text that its handler judges, or one of some known ones."""

    known: tuple[str, ...] = ()
    least: int = 1
    """Characters: an empty text is a value that was forgotten."""

    @property
    def schema(self) -> Schema:
        known: Schema = {"enum": list(self.known)} if self.known else {}
        return {"type": "string", "minLength": self.least, **known}

    def of(self, given: Mapping[str, str]) -> str | None:
        text = given.get(self.name)
        if text is not None and len(text) < self.least:
            raise wrong_parameter(self.name, "Expected a value; leave it out to ask for nothing")
        if text is not None and self.known and text not in self.known:
            raise wrong_parameter(self.name, f"Expected one of {', '.join(self.known)}")
        return text


class Patterns(Query[list[str] | None], frozen=True, kw_only=True):
    """Patterns separated by commas, read as the words they match; None: all words."""

    known: tuple[str, ...]
    """The patterns that the document names."""
    resolve: Callable[[list[str]], frozenset[str]]
    """The words that match; a ValueError names a pattern that matches none."""
    others: str
    """A regular expression of the patterns that are taken besides."""

    @property
    def schema(self) -> Schema:
        of_either: list[Schema] = [{"enum": list(self.known)}, {"pattern": self.others}]
        return {**_list_schema(()), "items": {"type": "string", "anyOf": of_either}}

    def of(self, given: Mapping[str, str]) -> list[str] | None:
        text = given.get(self.name)
        if text is None:
            return None
        try:
            return sorted(self.resolve(text.split(",")))
        except ValueError as exc:
            raise wrong_parameter(self.name, f"Expected some of {', '.join(self.known)}") from exc


class Timestamp(Query[int | None], frozen=True, kw_only=True):
    """RFC 3339 with a time zone, read as milliseconds since the epoch."""

    @property
    def schema(self) -> Schema:
        return {"type": "string", "format": "date-time"}

    def of(self, given: Mapping[str, str]) -> int | None:
        text = given.get(self.name)
        if text is None:
            return None
        at = parse_rfc3339(text)
        if at is None:
            raise wrong_parameter(
                self.name, "Expected a moment such as 2026-01-31T12:00:00Z (a + is sent as %2B)"
            )
        return milliseconds(at)


class Pairs(Query[tuple[tuple[str, str], ...]], frozen=True, kw_only=True):
    """Parameters with a common prefix, `metadata.*`, each a key and its value; ordered by key."""

    most: int

    @property
    def prefix(self) -> str:
        """The part of the name before the key."""
        return self.name.removesuffix("*")

    @property
    def schema(self) -> Schema:
        return {
            "type": "object",
            "maxProperties": self.most,
            "propertyNames": {"pattern": f"^{re.escape(self.prefix)}."},
            "additionalProperties": {"type": "string"},
        }

    def takes(self, name: str) -> bool:
        return name.startswith(self.prefix) and name != self.prefix

    def of(self, given: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        pairs = [(name, value) for name, value in given.items() if self.takes(name)]
        if len(pairs) > self.most:
            raise wrong_parameter(self.name, f"Expected at most {self.most} of them")
        return tuple(sorted((name.removeprefix(self.prefix), value) for name, value in pairs))


def is_number(text: str) -> bool:
    """True for a whole number that a database holds."""
    return text.isascii() and text.isdigit() and len(text) < 20


def check_known(given: QueryParams, parameters: Iterable[Query[Any]]) -> None:
    """Refuses unknown and repeated parameters: a typo must not widen a list."""
    parameters = tuple(parameters)
    seen: set[str] = set()
    for name, _ in given.multi_items():
        if not any(parameter.takes(name) for parameter in parameters):
            known = ", ".join(sorted(parameter.name for parameter in parameters))
            raise wrong_parameter(name, f"Unknown parameter; known are {known}")
        if name in seen:
            raise wrong_parameter(name, "Expected it once")
        seen.add(name)


def wrong_parameter(name: str, message: str) -> ApiError:
    return wrong_field(f"?{name[:100]}", message)


def _list_schema(known: tuple[str, ...]) -> Schema:
    items: Schema = {"type": "string", "enum": list(known)}
    return {"type": "array", "items": items, "minItems": 1}
