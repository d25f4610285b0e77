"""Query parameters: values that say what is taken, read strictly and documented from the same."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request

from gateway.domain.errors import Refused
from gateway.wire.problem import FieldError


class Named(Protocol):
    """A parameter."""

    @property
    def name(self) -> str:
        """As it is sent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
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
        return {"type": "integer", **bounds, "default": self.default}

    def of(self, request: Request) -> int:
        """What this request asks for.

        Raises:
            Refused: `invalid_request`.
        """
        text = request.query_params.get(self.name)
        if text is None:
            return self.default
        if is_number(text) and self.least <= int(text) <= self.most:
            return int(text)
        raise wrong(self.name, f"Expected a whole number from {self.least} to {self.most}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """Some of these words, separated by commas; without the parameter, all of them."""

    name: str
    known: tuple[str, ...]
    meaning: str
    where: str = "query"

    @property
    def schema(self) -> dict[str, object]:
        """For the OpenAPI document."""
        words: dict[str, object] = {"type": "string", "enum": list(self.known)}
        return {"type": "array", "items": words, "minItems": 1}

    def of(self, request: Request) -> list[str]:
        """Those this request asks for, each once.

        Raises:
            Refused: `invalid_request`.
        """
        text = request.query_params.get(self.name)
        if text is None:
            return list(self.known)
        words = list(dict.fromkeys(text.split(",")))
        if not set(words) <= set(self.known):
            raise wrong(self.name, f"Expected some of {', '.join(self.known)}")
        return words


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A text that its handler judges."""

    name: str
    meaning: str
    where: str = "query"

    @property
    def schema(self) -> dict[str, object]:
        """For the OpenAPI document."""
        return {"type": "string"}

    def of(self, request: Request) -> str | None:
        """The text, if this request brings one."""
        return request.query_params.get(self.name)


def is_number(text: str) -> bool:
    """Whether the text is a whole number that a database holds."""
    return text.isascii() and text.isdigit() and len(text) < 20


def known_only(request: Request, parameters: Iterable[Named]) -> None:
    """Refuses parameters that would be ignored: a typo must not widen a list."""
    names = {parameter.name for parameter in parameters}
    for name in request.query_params:
        if name not in names:
            raise wrong(name, f"Unknown parameter; known are {', '.join(sorted(names))}")


def wrong(name: str, message: str) -> Refused:
    """The refusal of one parameter."""
    error = FieldError(path=f"?{name[:100]}", message=message)
    return Refused("invalid_request", f"{error.path}: {message}.", errors=(error,))
