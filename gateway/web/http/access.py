"""Access: API keys by scope, stream tokens, signatures, capability URLs, or open to everybody."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec
from starlette.requests import Request

from gateway.domain.operations.api_key import ApiKey
from gateway.domain.tasks.stream_token import end_of_token
from gateway.web.http.auth import authorize
from gateway.web.http.query import Text


class StreamReader(msgspec.Struct, frozen=True, kw_only=True):
    """The holder of a stream token."""

    until: int
    """The end of the token (milliseconds)."""


Caller = ApiKey | StreamReader | None
"""None: a route that is open, or whose handler verifies a signature."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """The proof that a route asks for."""

    security: tuple[dict[str, list[str]], ...]
    """Any of these suffices; none: open to everybody, or the path holds the proof."""
    proof: str
    """The same as a sentence, for the documentation."""
    errors: tuple[str, ...] = ()
    """Codes of requests without it."""
    admit: Callable[[Request], Awaitable[Caller]] | None = None
    takes_token: bool = False
    scopes: frozenset[str] = frozenset()
    """Scopes of API keys, any of which suffices."""


TOKEN: Final = Text(
    name="token", least=0, meaning="A stream token of this task, in place of an API key."
)


async def _admit_reader(request: Request) -> Caller:
    token = TOKEN.of(request.query_params)
    if token is None:
        return await authorize(request, READ_SCOPES)
    context, task_id = request.app.context, request.path_params["task_id"]
    return StreamReader(until=end_of_token(context.keyring, token, task_id, context.clock()))


def _bearer(scopes: frozenset[str]) -> Access:
    names = " or ".join(f"`{scope}`" for scope in sorted(scopes, key=_ORDER.index))
    return Access(
        proof=f"Needs an API key of scope {names}.",
        security=tuple({scope: []} for scope in sorted(scopes, key=_ORDER.index)),
        errors=("unauthorized", "key_expired", "forbidden", "rate_limited", "too_many_open"),
        admit=partial(authorize, scopes=scopes),
        scopes=scopes,
    )


_ORDER: Final = ("tasks", "read", "launcher", "ops")
READ_SCOPES: Final = frozenset({"tasks", "read", "ops"})
OPEN: Final = Access(security=(), proof="Open to everybody.")
TASKS: Final = _bearer(frozenset({"tasks", "ops"}))
READ: Final = _bearer(READ_SCOPES)
READ_OR_TOKEN: Final = Access(
    security=(*READ.security, {"streamToken": []}),
    proof=f"{READ.proof[:-1]}, or a stream token of this task.",
    errors=(*READ.errors, "invalid_token", "token_expired"),
    admit=_admit_reader,
    takes_token=True,
    scopes=READ_SCOPES,
)
LAUNCHER: Final = _bearer(frozenset({"launcher", "ops"}))
OPS: Final = _bearer(frozenset({"ops"}))
METRICS: Final = _bearer(frozenset({"read", "ops"}))
SIGNED: Final = Access(
    proof="Signed with the key of the attempt (Standard Webhooks).",
    security=({"webhookId": [], "webhookTimestamp": [], "webhookSignature": []},),
    errors=(
        "malformed_headers",
        "unknown_task",
        "timestamp_out_of_tolerance",
        "invalid_signature",
        "too_many_open",
    ),
)
DAYTONA: Final = Access(
    proof="Signed by Daytona (Svix), with one of `SLIPGATE_DAYTONA_WEBHOOK_SECRETS`.",
    security=(
        {"svixId": [], "svixTimestamp": [], "svixSignature": []},
        {"webhookId": [], "webhookTimestamp": [], "webhookSignature": []},
    ),
    errors=("malformed_headers", "timestamp_out_of_tolerance", "invalid_signature"),
)
GITHUB: Final = Access(
    proof="Signed by GitHub, with one of `SLIPGATE_GITHUB_WEBHOOK_SECRETS`.",
    security=({"hubSignature": []},),
    errors=("malformed_headers", "timestamp_out_of_tolerance", "invalid_signature"),
)
CAPABILITY: Final = Access(
    security=(),
    proof="The token in the path is the proof.",
    errors=("unknown_task", "invalid_signature", "too_many_open"),
)
