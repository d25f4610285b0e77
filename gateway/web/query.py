"""Query parameters, read strictly."""

from collections.abc import Iterable

from starlette.requests import Request

from gateway.domain.errors import Refused
from gateway.wire.problem import FieldError


def number(request: Request, name: str, default: int, *, least: int, most: int) -> int:
    """A whole number within bounds.

    Raises:
        Refused: `invalid_request`.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise wrong(name, f"Expected a whole number from {least} to {most}")
    return int(text)


def known_only(request: Request, names: Iterable[str]) -> None:
    """Refuses parameters that would be ignored: a typo must not widen a list."""
    for name in request.query_params:
        if name not in names:
            raise wrong(name, f"Unknown parameter; known are {', '.join(sorted(names))}")


def wrong(name: str, message: str) -> Refused:
    """The refusal of one parameter."""
    error = FieldError(path=f"?{name[:100]}", message=message)
    return Refused("invalid_request", f"{error.path}: {message}.", errors=(error,))
