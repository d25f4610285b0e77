"""Request headers, read once."""

from starlette.requests import Request
from starlette.types import Scope


def read_headers(scope: Scope) -> dict[str, str]:
    """By their names in lower case; of several with one name the first."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in reversed(scope["headers"])
    }


def headers_of(request: Request) -> dict[str, str]:
    """Those of this request: a look-up in a dictionary, where Starlette walks the list."""
    headers: dict[str, str] = request.scope["state"]["headers"]
    return headers
