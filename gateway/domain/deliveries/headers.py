"""Headers that people add to the requests of their endpoint."""

import re
from collections.abc import Iterable
from typing import Final

from gateway.domain.kernel.errors import ApiError
from gateway.wire.problem import FieldError

_OURS: Final = re.compile(
    r"host|connection|content-.*|transfer-encoding|te|trailer|upgrade|keep-alive|expect"
    r"|webhook-.*|slipgate-.*|traceparent",
    re.IGNORECASE,
)
"""What makes the request, or says who signed it."""


def check_headers(names: Iterable[str]) -> None:
    """Lets the names pass.

    Raises:
        ApiError: `invalid_request`, naming those that are ours, or come twice.
    """
    seen: set[str] = set()
    errors = []
    for name in names:
        if _OURS.fullmatch(name):
            errors.append(FieldError(path=f"$.headers.{name}", message="slipgate sets it itself"))
        if name.lower() in seen:
            errors.append(FieldError(path=f"$.headers.{name}", message="Expected it once"))
        seen.add(name.lower())
    if errors:
        raise ApiError(
            "invalid_request",
            f"{errors[0].path}: {errors[0].message}.",
            errors=tuple(errors),
        )
