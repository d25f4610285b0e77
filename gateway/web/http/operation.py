"""Operations: the access, parameters, body and documentation of a route, said beside its handler.

`Handler` enforces them, and the OpenAPI document is made of them.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from starlette.responses import Response

from gateway.web.http.access import Access
from gateway.web.http.body import LIMIT, Nothing
from gateway.web.http.call import Call
from gateway.web.http.headers import Parameter
from gateway.web.http.query import Query
from gateway.wire.message import Change

Handle = Callable[[Call[Any]], Awaitable[Response]]


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """The body that a route takes."""

    kind: Any
    """The message type."""
    example: str = ""
    """Its name in `examples.json`, if it is not the type's."""
    limit: int = LIMIT
    """In bytes."""
    is_required: bool = True
    is_raw: bool = False
    """The handler gets the bytes: a signature is computed over them."""
    media_type: str | None = "application/json"
    """The only one that is taken; None: any, read as JSON."""


NOTHING: Final = Body(kind=Nothing, is_required=False)


CHANGE: Final = Body(kind=Change, is_required=False)


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in one media type."""

    kind: Any
    """The message type; of plain text, `str`."""
    example: str = ""
    """The text, or the name in `examples.json`, if it is not the type's."""
    media_type: str = "application/json"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A success."""

    meaning: str
    content: tuple[Content, ...]
    status: int = 200
    headers: tuple[str, ...] = ()
    """Besides those of every reply."""


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """A request of ours that follows a request of theirs."""

    id: str
    to: str
    """The address, as an OpenAPI runtime expression."""
    summary: str
    description: str
    headers: tuple[Parameter, ...]
    kind: object
    """The message type of its body."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A decorator of the handler of a route."""

    id: str
    """The name a generated client gives its method."""
    tag: str
    summary: str
    access: Access
    answers: tuple[Answer, ...]
    query: tuple[Query[Any], ...] = ()
    headers: tuple[Parameter, ...] = ()
    body: Body | None = None
    errors: tuple[str, ...] = ()
    """Codes besides those of access, parameters and body."""
    description: str = ""
    callback: Callback | None = None
    source: str = ""
    """The source under which refused webhooks are counted; empty: this is no webhook."""

    def __call__(self, handle: Handle) -> "Handled":
        return Handled(operation=self, handle=handle)


class Handled(msgspec.Struct, frozen=True, kw_only=True):
    """A handler with its operation."""

    operation: Operation
    handle: Handle


DRY_RUN: Final = "`dryRun`: the answer of the change, which was not made."


def answer(
    kind: object,
    meaning: str,
    *,
    status: int = 200,
    example: str = "",
    headers: tuple[str, ...] = (),
) -> Answer:
    """A success in JSON."""
    content = (Content(kind=kind, example=example),)
    return Answer(meaning=meaning, status=status, content=content, headers=headers)
