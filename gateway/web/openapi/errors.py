"""The error responses of an operation."""

from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.domain.kernel.errors import ApiError
from gateway.web.http.codes import CODES, STATUS, TITLES
from gateway.web.http.headers import Schema
from gateway.web.http.operation import Operation
from gateway.web.http.problems import document
from gateway.wire.problem import MEDIA_TYPE

_EVERYWHERE: Final = (
    "headers_too_large",
    "internal",
    "unavailable",
    "read_only",
    "database_replaced",
)
_OF_BODIES: Final = ("invalid_json", "too_large", "invalid_request")
_HEADERS: Final = {
    401: ("WWW-Authenticate",),
    429: (
        "Retry-After",
        "RateLimit-Limit",
        "RateLimit-Remaining",
        "RateLimit-Reset",
        "RateLimit-Policy",
    ),
    503: ("Retry-After",),
}


def _codes_of(operation: Operation) -> tuple[str, ...]:
    """Every code the route can answer, in the order of their statuses."""
    codes = {*operation.errors, *operation.access.errors, *_EVERYWHERE}
    if operation.query or operation.headers:
        codes.add("invalid_request")
    if operation.body is not None:
        codes |= {*_OF_BODIES}
        if operation.body.media_type is not None:
            codes.add("unsupported_media_type")
    return tuple(code for code in STATUS if code in codes)


def problems(operation: Operation, headers: Schema) -> Schema:
    """The error responses of a route by status; `headers` are those of every answer."""
    codes = _codes_of(operation)
    statuses = dict.fromkeys(STATUS[code] for code in codes)
    return {
        str(status): _problem(status, [code for code in codes if STATUS[code] == status], headers)
        for status in statuses
    }


def _problem(status: int, codes: Iterable[str], headers: Schema) -> Schema:
    own: Schema = {name: _reference("headers", name) for name in _HEADERS.get(status, ())}
    examples = {code: {"value": _example(code)} for code in codes}
    return {
        "description": f"{TITLES[status]}: {', '.join(f'`{code}`' for code in examples)}.",
        "headers": headers | own,
        "content": {MEDIA_TYPE: {"schema": _reference("schemas", "Problem"), "examples": examples}},
    }


def _example(code: str) -> object:
    return msgspec.to_builtins(document("5f1c2a90-1", ApiError(code, CODES[code][1])))


def _reference(section: str, name: str) -> Schema:
    return {"$ref": f"#/components/{section}/{name}"}
