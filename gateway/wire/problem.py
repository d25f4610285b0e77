"""Error replies: RFC 9457 `application/problem+json`."""

from typing import Final

import msgspec

MEDIA_TYPE: Final = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A mistake in a request, with its JSON path."""

    path: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An error; `code` is stable, `hint` is the way out."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    hint: str | None = None
    errors: tuple[FieldError, ...] | None = None
    message: str | None = None
    """On the routes of the drop-in API, whose callers show `message` or `error`."""
    error: str | None = None
