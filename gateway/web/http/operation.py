"""What documents a route: values beside its handler, of which the OpenAPI document is made."""

from typing import Protocol

import msgspec

from gateway.web.http.body import LIMIT

Schema = dict[str, object]
"""A JSON Schema, or another object of the OpenAPI document."""


class Parameter(Protocol):
    """A parameter that a handler reads; its bounds are those the handler checks."""

    @property
    def name(self) -> str:
        """As it is sent."""

    @property
    def where(self) -> str:
        """`query`, `header` or `path`."""

    @property
    def meaning(self) -> str:
        """One sentence."""

    @property
    def schema(self) -> Schema:
        """What is taken."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """A header that a handler reads, or that we send."""

    name: str
    meaning: str
    schema: Schema
    where: str = "header"
    is_required: bool = False


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Who may call a route, and how the call is proven."""

    security: tuple[dict[str, list[str]], ...]
    """Any of these suffices; none: open to everybody."""
    errors: tuple[str, ...] = ()
    """The codes of those who may not."""


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What a route takes."""

    kind: object
    """The message type."""
    example: object
    limit: int = LIMIT
    """In bytes."""
    is_required: bool = True
    media_type: str | None = "application/json"
    """The only one that is taken; None: whatever it is called, it is read as JSON."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in one media type."""

    kind: object
    """The message type; of plain text, `str`."""
    example: object
    media_type: str = "application/json"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A success."""

    meaning: str
    content: tuple[Content, ...]
    status: int = 200
    headers: tuple[str, ...] = ()
    """Beside those that every answer carries."""


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """A request of ours that follows a request of theirs."""

    id: str
    to: str
    """Where the address stands, as an OpenAPI runtime expression."""
    summary: str
    description: str
    headers: tuple[Header, ...]
    kind: object
    """The message type of its body."""
    example: object


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What documents a route."""

    id: str
    """The name a generated client gives its method."""
    tag: str
    summary: str
    access: Access
    answers: tuple[Answer, ...]
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    errors: tuple[str, ...] = ()
    """Codes beside those that access, parameters and body bring."""
    description: str = ""
    callback: Callback | None = None


def answer(kind: object, example: object, meaning: str, *, status: int = 200) -> Answer:
    """The usual one: JSON and no headers of its own."""
    return Answer(meaning=meaning, status=status, content=(Content(kind=kind, example=example),))
