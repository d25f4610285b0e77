"""Moments that callers name and clocks are counted from."""

from datetime import UTC, datetime
from typing import Final

from gateway.domain.kernel.errors import ApiError
from gateway.wire.problem import FieldError
from gateway.wire.times import milliseconds

LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""What is counted from it must still be a moment that can be written."""


def countable(moment: datetime, path: str) -> int:
    """In milliseconds since the epoch; `path` is where it stands in the request.

    Raises:
        ApiError: `invalid_request`.
    """
    if moment >= LATEST:
        error = FieldError(path=path, message=f"Expected a moment before the year {LATEST.year}")
        raise ApiError("invalid_request", f"{error.path}: {error.message}.", errors=(error,))
    return milliseconds(moment)
