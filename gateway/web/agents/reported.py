"""What a sandbox reports, as it may be kept: without secrets and foreign claims, a patch's text
apart."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec

from gateway.domain.agents.patch import MAX_WARNINGS, PatchPiece
from gateway.domain.agents.provenance import CLAIMS, foreign_claims
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Frozen
from gateway.web.agents.patches import kept_piece
from gateway.web.http.body import beside_loop
from gateway.wire import agent as wire
from gateway.wire.patches import WARNING_CHARACTERS
from gateway.wire.scrubbing import scrub

Fields = dict[str, object]
_TRACES: Final = (*(name.encode() for name in CLAIMS), b"\\u")
"""Without one of these in its JSON, a word claims nothing."""
BESIDE_BYTES: Final = 32 * 1024
"""Longer words are looked through beside the event loop: one of 1 MiB can take 0.3 s."""


class Kept(Frozen, frozen=True, kw_only=True):
    """The data of an event, what belongs to it, and a sentence for each thing that was changed."""

    data: bytes
    piece: PatchPiece | None = None
    warnings: tuple[str, ...] = ()


async def kept(
    word: wire.AgentEvent, own: tuple[bytes, ...], spec: Callable[[], Awaitable[Spec | None]]
) -> Kept:
    """What is kept of a word; `own` are secrets of its attempt that have no form of their own, and
    `spec` reads what its task asked for.

    Raises:
        WrongShape: a piece of a patch is not what it says.
    """
    data, dropped = await _without_foreign(word, spec)
    dropped = (*word.warnings, *dropped)
    if dropped:
        data = _warned(data, dropped)
    if isinstance(word.message, wire.PatchPiece):
        piece, data, touched = await kept_piece(word.message, wire.fields_of(data), own)
        return Kept(data=data, piece=piece, warnings=(*dropped, *touched))
    if len(data) > BESIDE_BYTES:
        data, touched = await beside_loop(partial(scrub, word.type, data, own))
    else:
        data, touched = scrub(word.type, data, own)
    return Kept(data=data, warnings=(*dropped, *touched))


async def _without_foreign(
    word: wire.AgentEvent, spec: Callable[[], Awaitable[Spec | None]]
) -> tuple[bytes, tuple[str, ...]]:
    if not any(trace in word.data for trace in _TRACES):
        return word.data, ()
    fields = wire.fields_of(word.data)
    asked = await spec() if any(name in fields for name in CLAIMS) else None
    if asked is None:
        return word.data, ()
    foreign = dict(foreign_claims(fields, asked))
    if not foreign:
        return word.data, ()
    left = {name: value for name, value in fields.items() if name not in foreign}
    return msgspec.json.encode(left), tuple(
        f"$.data.{name} was dropped: {why}"[:WARNING_CHARACTERS] for name, why in foreign.items()
    )


def _warned(data: bytes, dropped: tuple[str, ...]) -> bytes:
    """With sentences of ours before those of its sender, so that no number of its hides them."""
    fields = wire.fields_of(data)
    given = fields.get("warnings")
    told = [*dropped, *(given if isinstance(given, list) else ())]
    return msgspec.json.encode({**fields, "warnings": told[:MAX_WARNINGS]})
