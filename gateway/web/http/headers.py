"""Headers of requests and replies: read once, and documented."""

import re
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.types import Scope

Schema = dict[str, object]
"""A JSON Schema, or another object of the OpenAPI document."""


def read_headers(scope: Scope) -> dict[str, str]:
    """Headers by lower-case name; of several with one name the first."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in reversed(scope["headers"])
    }


def headers_of(request: Request) -> dict[str, str]:
    """Headers of this request: a look-up in a dictionary, where Starlette walks the list."""
    headers: dict[str, str] = request.scope["state"]["headers"]
    return headers


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A documented header, or a part of a path."""

    name: str
    meaning: str
    schema: Schema
    where: str = "header"
    is_required: bool = False


PRINTABLE: Final = re.compile(r"[\x20-\x7e]{1,255}")
IDEMPOTENCY_KEY: Final = Parameter(
    name="Idempotency-Key",
    meaning="The same key and request get the first answer for 24 h, never a second effect.",
    schema={
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": f"^{PRINTABLE.pattern}$",
    },
)
TRACEPARENT: Final = Parameter(
    name="traceparent",
    meaning="W3C Trace Context: kept with the task and handed to its sandbox.",
    schema={"type": "string"},
)
LAST_EVENT_ID: Final = Parameter(
    name="Last-Event-ID",
    meaning="For event streams: the `id:` of the last event seen; it wins over `after`.",
    schema={"type": "string"},
)

REPLAYABLE: Final = ("Location", "Idempotent-Replayed")
"""Headers of what was created, or had been under the same Idempotency-Key."""
