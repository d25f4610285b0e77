"""Agent events as they may be kept: without secrets and foreign claims, a patch's text apart."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec

from gateway.domain.agents.patch import MAX_WARNINGS, PatchPiece
from gateway.domain.agents.provenance import CLAIMS, foreign_claims
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Frozen
from gateway.web.agents.patches import kept_piece
from gateway.web.http.body import in_thread
from gateway.wire import agent as wire
from gateway.wire.patches import WARNING_CHARACTERS
from gateway.wire.scrubbing import scrub

Fields = dict[str, object]
_TRACES: Final = (*(name.encode() for name in CLAIMS), b"\\u")
"""An event whose JSON has none of these claims nothing."""
INLINE_BYTES: Final = 32 * 1024
"""Longer events are redacted in a thread: one of 1 MiB can take 0.3 s."""


class Kept(Frozen, frozen=True, kw_only=True):
    """The data of an event, what belongs to it, and a sentence for each thing that was changed."""

    data: bytes
    piece: PatchPiece | None = None
    warnings: tuple[str, ...] = ()


async def kept(
    event: wire.AgentEvent, own: tuple[bytes, ...], spec: Callable[[], Awaitable[Spec | None]]
) -> Kept:
    """The event without secrets; `own` are those of its attempt, which no pattern finds, and `spec`
    reads the task's specification.

    Raises:
        WrongShape: a piece of a patch is not what it says.
    """
    data, dropped = await _without_foreign(event, spec)
    dropped = (*event.warnings, *dropped)
    if dropped:
        data = _warned(data, dropped)
    if isinstance(event.message, wire.PatchPiece):
        piece, data, touched = await kept_piece(event.message, wire.fields_of(data), own)
        return Kept(data=data, piece=piece, warnings=(*dropped, *touched))
    if len(data) > INLINE_BYTES:
        data, touched = await in_thread(partial(scrub, event.type, data, own))
    else:
        data, touched = scrub(event.type, data, own)
    return Kept(data=data, warnings=(*dropped, *touched))


async def _without_foreign(
    event: wire.AgentEvent, spec: Callable[[], Awaitable[Spec | None]]
) -> tuple[bytes, tuple[str, ...]]:
    if not any(trace in event.data for trace in _TRACES):
        return event.data, ()
    fields = wire.fields_of(event.data)
    asked = await spec() if any(name in fields for name in CLAIMS) else None
    if asked is None:
        return event.data, ()
    foreign = dict(foreign_claims(fields, asked))
    if not foreign:
        return event.data, ()
    left = {name: value for name, value in fields.items() if name not in foreign}
    return msgspec.json.encode(left), tuple(
        f"$.data.{name} was dropped: {why}"[:WARNING_CHARACTERS] for name, why in foreign.items()
    )


def _warned(data: bytes, dropped: tuple[str, ...]) -> bytes:
    """Data with our warnings before those of its sender, so that these cannot hide them."""
    fields = wire.fields_of(data)
    given = fields.get("warnings")
    sentences = [*dropped, *(given if isinstance(given, list) else ())]
    return msgspec.json.encode({**fields, "warnings": sentences[:MAX_WARNINGS]})
