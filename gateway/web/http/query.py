"""Query parameters: values that say what is taken, read strictly and documented from the same."""

import re
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec
from starlette.requests import Request

from gateway.domain.kernel.errors import ApiError
from gateway.wire.problem import FieldError
from gateway.wire.times import milliseconds, parse_rfc3339


class Named(Protocol):
    """A parameter."""

    @property
    def name(self) -> str:
        """As it is sent."""


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A whole number within bounds."""

    name: str
    default: int
    least: int
    most: int
    meaning: str
    where: str = "query"

    @property
    def schema(self) -> dict[str, object]:
        """For the OpenAPI document."""
        bounds: dict[str, object] = {"minimum": self.least, "maximum": self.most}
        if self.default < self.least:  # left out, it means something else than any number
            return {"type": "integer", **bounds}
        return {"type": "integer", **bounds, "default": self.default}

    def of(self, request: Request) -> int:
        """What this request asks for.

        Raises:
            ApiError: `invalid_request`.
        """
        text = request.query_params.get(self.name)
        if text is None:
            return self.default
        if is_number(text) and self.least <= int(text) <= self.most:
            return int(text)
        raise wrong(self.name, f"Expected a whole number from {self.least} to {self.most}")


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """Some of these words, separated by commas."""

    name: str
    known: tuple[str, ...]
    meaning: str
    unless_given: tuple[str, ...] | None = None
    """What is meant without the parameter; None: all of them."""
    where: str = "query"

    @property
    def schema(self) -> dict[str, object]:
        """For the OpenAPI document."""
        words: dict[str, object] = {"type": "string", "enum": list(self.known)}
        return {"type": "array", "items": words, "minItems": 1}

    def of(self, request: Request) -> list[str]:
        """Those this request asks for, each once.

        Raises:
            ApiError: `invalid_request`.
        """
        text = request.query_params.get(self.name)
        if text is None:
            return list(self.known if self.unless_given is None else self.unless_given)
        words = list(dict.fromkeys(text.split(",")))
        if not set(words) <= set(self.known):
            raise wrong(self.name, f"Expected some of {', '.join(self.known)}")
        return words


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A text that its handler judges, or one of some known ones."""

    name: str
    meaning: str
    known: tuple[str, ...] = ()
    least: int = 1
    """Characters: an empty one is a value that was forgotten."""
    where: str = "query"

    @property
    def schema(self) -> dict[str, object]:
        """For the OpenAPI document."""
        known: dict[str, object] = {"enum": list(self.known)} if self.known else {}
        return {"type": "string", "minLength": self.least, **known}

    def of(self, request: Request) -> str | None:
        """The text, if this request brings one.

        Raises:
            ApiError: `invalid_request`.
        """
        text = request.query_params.get(self.name)
        if text is not None and len(text) < self.least:
            raise wrong(self.name, "Expected a value; leave it out to ask for nothing")
        if text is not None and self.known and text not in self.known:
            raise wrong(self.name, f"Expected one of {', '.join(self.known)}")
        return text


class Patterns(msgspec.Struct, frozen=True, kw_only=True):
    """Some patterns, separated by commas, each of which stands for known words."""

    name: str
    known: tuple[str, ...]
    """The patterns that are worth naming."""
    resolve: Callable[[list[str]], frozenset[str]]
    """The words they stand for; ValueError names a pattern that stands for none."""
    meaning: str
    where: str = "query"

    @property
    def schema(self) -> dict[str, object]:
        """For the OpenAPI document."""
        words: dict[str, object] = {"type": "string", "enum": list(self.known)}
        return {"type": "array", "items": words, "minItems": 1}

    def of(self, request: Request) -> list[str] | None:
        """The words this request asks for; None: all of them.

        Raises:
            ApiError: `invalid_request`.
        """
        text = request.query_params.get(self.name)
        if text is None:
            return None
        try:
            return sorted(self.resolve(text.split(",")))
        except ValueError as exc:
            raise wrong(self.name, f"Expected some of {', '.join(self.known)}") from exc


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A moment with its time zone, RFC 3339."""

    name: str
    meaning: str
    where: str = "query"

    @property
    def schema(self) -> dict[str, object]:
        """For the OpenAPI document."""
        return {"type": "string", "format": "date-time"}

    def of(self, request: Request) -> int | None:
        """In milliseconds since the epoch, if this request brings one.

        Raises:
            ApiError: `invalid_request`.
        """
        text = request.query_params.get(self.name)
        if text is None:
            return None
        moment = parse_rfc3339(text)
        if moment is None:
            shown = "Expected a moment such as 2026-01-31T12:00:00Z (a + is sent as %2B)"
            raise wrong(self.name, shown)
        return milliseconds(moment)


class Pairs(msgspec.Struct, frozen=True, kw_only=True):
    """Any parameters whose names begin so: each is a pair of key and value."""

    prefix: str
    most: int
    meaning: str
    where: str = "query"

    @property
    def name(self) -> str:
        """Of all of them; no parameter is really called so."""
        return f"{self.prefix}*"

    @property
    def schema(self) -> dict[str, object]:
        """For the OpenAPI document: an object whose properties are parameters of their own."""
        return {
            "type": "object",
            "maxProperties": self.most,
            "propertyNames": {"pattern": f"^{re.escape(self.prefix)}."},
            "additionalProperties": {"type": "string"},
        }

    def has(self, name: str) -> bool:
        """Whether a parameter of this name is one of them; a key is never empty."""
        return name.startswith(self.prefix) and name != self.prefix

    def of(self, request: Request) -> tuple[tuple[str, str], ...]:
        """The pairs of this request, ordered by key.

        Raises:
            ApiError: `invalid_request`, too many.
        """
        given = [pair for pair in request.query_params.items() if self.has(pair[0])]
        if len(given) > self.most:
            raise wrong(f"{self.prefix}*", f"Expected at most {self.most} of them")
        return tuple(sorted((name.removeprefix(self.prefix), value) for name, value in given))


def is_number(text: str) -> bool:
    """Whether the text is a whole number that a database holds."""
    return text.isascii() and text.isdigit() and len(text) < 20


def known_only(request: Request, parameters: Iterable[Named], pairs: Pairs | None = None) -> None:
    """Refuses parameters that would be ignored, as one given twice would be: a typo must not widen
    a list."""
    names = {parameter.name for parameter in parameters}
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in names and not (pairs is not None and pairs.has(name)):
            raise wrong(name, f"Unknown parameter; known are {', '.join(sorted(names))}")
        if name in seen:
            raise wrong(name, "Expected it once")
        seen.add(name)


def wrong(name: str, message: str) -> ApiError:
    """The refusal of one parameter."""
    error = FieldError(path=f"?{name[:100]}", message=message)
    return ApiError("invalid_request", f"{error.path}: {message}.", errors=(error,))
