"""Agent events as commands: without secrets and foreign claims, a patch's text apart."""

import hashlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, NamedTuple

import msgspec

from gateway.domain.agents.patch import MAX_WARNINGS, PatchPiece
from gateway.domain.agents.provenance import CLAIMS, foreign_claims
from gateway.domain.kernel.commands import ReportAgentEvent
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Frozen
from gateway.web.agents.patches import kept_piece
from gateway.web.context import Context
from gateway.web.http.body import in_thread, read_json
from gateway.web.http.problems import to_api_error
from gateway.wire import agent as wire
from gateway.wire.agent import AgentEvent
from gateway.wire.agent_body import fields_of
from gateway.wire.decode import WrongShape
from gateway.wire.patches import WARNING_CHARACTERS
from gateway.wire.scrubbing import scrub

_TRACES: Final = (*(name.encode() for name in CLAIMS), b"\\u")
"""An event whose JSON has none of these claims nothing."""
INLINE_BYTES: Final = 32 * 1024
"""Longer events are redacted in a thread: one of 1 MiB can take 0.3 s."""


class _Kept(Frozen, frozen=True, kw_only=True):
    """The data of an event, its piece of a patch, and a sentence for each change."""

    type: str = ""
    id: str | None = None
    data: bytes = b""
    piece: PatchPiece | None = None
    warnings: tuple[str, ...] = ()


class Sender(NamedTuple):
    """The attempt that an authentic event came from, and the id of its master key."""

    task_id: str
    attempt: int
    key_id: str


async def event_command(
    context: Context,
    sender: Sender,
    body: bytes,
    decode: Callable[[bytes], AgentEvent],
    *,
    webhook_id: str | None = None,
) -> tuple[ReportAgentEvent, tuple[str, ...]]:
    """The command of an authentic body, with warnings for its sender; a body of the wrong shape is
    refused by the rules, after the duplicate check."""
    kept, error = _Kept(), None
    try:
        kept = await _keep(context, sender, await read_json(decode, body, context.thread))
    except WrongShape as exc:
        error = to_api_error(exc)
    command = ReportAgentEvent(
        task_id=sender.task_id,
        attempt=sender.attempt,
        key_id=sender.key_id,
        type=kept.type,
        data=kept.data,
        piece=kept.piece,
        webhook_id=webhook_id or kept.id,
        body_hash=hashlib.sha256(body).digest(),
        refusal=error,
    )
    return command, kept.warnings


async def _keep(context: Context, sender: Sender, event: AgentEvent) -> _Kept:
    # Secrets of the attempt, which no pattern finds.
    own = context.keyring.attempt_texts(sender.key_id, sender.task_id, sender.attempt)
    data, dropped = await _without_foreign(event, partial(context.reads.spec, sender.task_id))
    dropped = (*event.warnings, *dropped)
    if dropped:
        data = _warned(data, dropped)
    piece = None
    if isinstance(event.message, wire.PatchPiece):
        fields = fields_of(data)
        piece, data, touched = await kept_piece(event.message, fields, own, context.thread)
    elif len(data) > INLINE_BYTES:
        data, touched = await in_thread(context.thread, partial(scrub, event.type, data, own))
    else:
        data, touched = scrub(event.type, data, own)
    warnings = (*dropped, *touched)
    return _Kept(type=event.type, id=event.id, data=data, piece=piece, warnings=warnings)


async def _without_foreign(
    event: AgentEvent, spec: Callable[[], Awaitable[Spec | None]]
) -> tuple[bytes, tuple[str, ...]]:
    if not any(trace in event.data for trace in _TRACES):
        return event.data, ()
    fields = fields_of(event.data)
    requested = await spec() if any(name in fields for name in CLAIMS) else None
    if requested is None:
        return event.data, ()
    foreign = dict(foreign_claims(fields, requested))
    if not foreign:
        return event.data, ()
    left = {name: value for name, value in fields.items() if name not in foreign}
    return msgspec.json.encode(left), tuple(
        f"$.data.{name} was dropped: {why}"[:WARNING_CHARACTERS] for name, why in foreign.items()
    )


def _warned(data: bytes, dropped: tuple[str, ...]) -> bytes:
    """Data with our warnings before those of its sender, so that these cannot hide them."""
    fields = fields_of(data)
    given = fields.get("warnings")
    sentences = [*dropped, *(given if isinstance(given, list) else ())]
    return msgspec.json.encode({**fields, "warnings": sentences[:MAX_WARNINGS]})
