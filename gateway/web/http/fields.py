"""Errors and times of single fields that a caller sends."""

from datetime import UTC, datetime
from typing import Final

from gateway.domain.kernel.errors import ApiError
from gateway.wire.problem import FieldError
from gateway.wire.times import milliseconds

LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Clocks that count from an earlier time still end at one that can be written."""


def wrong_field(path: str, message: str) -> ApiError:
    error = FieldError(path=path, message=message)
    return ApiError("invalid_request", f"{path}: {message}.", errors=(error,))


def to_millis(at: datetime, path: str) -> int:
    """Milliseconds since the epoch; `invalid_request` for the field `path` if they are too many."""
    if at >= LATEST:
        raise wrong_field(path, f"Expected a moment before the year {LATEST.year}")
    return milliseconds(at)
