"""API keys: create, list, revoke."""

from functools import partial
from typing import Final

from starlette.responses import Response

from gateway.domain.kernel.sealing import Sealed, callback_secret_context
from gateway.domain.operations.api_key import ApiKey, key_digest, key_text
from gateway.domain.operations.key_changes import OPENS_PROJECT
from gateway.domain.operations.key_commands import CreateKey, KeyReply, RevokeKey
from gateway.domain.operations.rate_limit import RateLimit
from gateway.web.context import Context
from gateway.web.convert import convert
from gateway.web.http.access import OPS
from gateway.web.http.call import Call
from gateway.web.http.cursors import CURSOR, LIMIT, keyset_page
from gateway.web.http.fields import to_millis
from gateway.web.http.operation import DRY_RUN, Body, Operation, answer
from gateway.web.http.replies import reply
from gateway.web.operations.key_view import key_view, new_key_view
from gateway.wire.keys import KeyView, NewKey, NewKeyView, Revocation
from gateway.wire.signing import secret_text
from gateway.wire.tasks import Page

operation: Final = partial(Operation, tag="Access", access=OPS)


@operation(
    id="createKey",
    summary="Create an API key",
    description=(
        "`key` is shown this once, and so is `callbackSecret`, which comes with the first key of "
        "a project that can create tasks."
    ),
    body=Body(kind=NewKey),
    answers=(answer(NewKeyView, "The key.", status=201), answer(KeyView, DRY_RUN)),
)
async def create(call: Call[NewKey]) -> Response:
    context, wanted = call.context, call.body
    text, secret = key_text(wanted.scope, context.secret()), context.secret()
    command = CreateKey(
        key=_key(context, wanted),
        digest=key_digest(text),
        callback_secret=_sealed(context, wanted, secret),
    )
    made = await call.ask(command, KeyReply)
    if call.is_dry_run:
        return reply(key_view(made.key))
    shown = new_key_view(made.key, text, secret_text(secret) if made.opens_project else None)
    return reply(shown, 201, headers={"Cache-Control": "no-store"})


@operation(
    id="listKeys",
    summary="List API keys, newest first",
    description="Revoked and expired ones too; never the keys themselves.",
    query=(LIMIT, CURSOR),
    answers=(answer(Page[KeyView], "A page of keys."),),
    errors=("invalid_cursor",),
)
async def page(call: Call[None]) -> Response:
    reads = call.context.reads
    found = await keyset_page(
        call,
        b"keys",
        lambda start, limit: reads.api_keys_before(*start, limit),
        position=lambda key: (key.created_at, key.id),
        view=key_view,
    )
    return reply(found)


@operation(
    id="revokeKey",
    summary="Revoke an API key for good",
    description=(
        "It is refused within a second; its streams and its sessions of the dashboard end. "
        "Idempotent."
    ),
    body=Body(kind=Revocation, is_required=False),
    answers=(answer(KeyView, "The key, revoked.", example="KeyView:revoked"),),
    errors=("not_found", "last_ops_key"),
)
async def revoke(call: Call[Revocation]) -> Response:
    command = RevokeKey(key_id=call.path["key_id"], force=call.body.force)
    return reply(key_view((await call.ask(command, KeyReply)).key))


def _key(context: Context, wanted: NewKey) -> ApiKey:
    ends = wanted.expires_at
    return ApiKey(
        id=context.new_id("key"),
        scope=wanted.scope,
        project=wanted.project,
        name=wanted.name,
        all_projects=wanted.all_projects,
        rate_limit=convert(RateLimit, wanted.rate_limit),
        expires_at=None if ends is None else to_millis(ends, "$.expiresAt"),
    )


def _sealed(context: Context, wanted: NewKey, secret: bytes) -> Sealed | None:
    if wanted.scope not in OPENS_PROJECT:
        return None
    return context.seal(secret, callback_secret_context(wanted.project))
