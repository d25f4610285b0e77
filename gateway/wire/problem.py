"""The one form of every error reply: RFC 9457 `application/problem+json`."""

import msgspec

MEDIA_TYPE = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One thing wrong in a request, by JSON path."""

    path: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What went wrong; `code` is stable, `hint` says what would be right."""

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
