"""Pieces of patches as they are kept."""

from concurrent.futures import Executor
from functools import partial
from typing import Final

import msgspec

from gateway.domain.agents.patch import MAX_WARNINGS, PatchPiece, revisions
from gateway.domain.kernel.keyring import UnknownKey
from gateway.domain.tasks.task import Attempt
from gateway.store.protocol import Reads
from gateway.web.context import Context
from gateway.web.http.body import in_thread
from gateway.wire import agent
from gateway.wire.decode import wrong_shape
from gateway.wire.launcher import RescuedPiece
from gateway.wire.patches import Encoding, Unreadable, packed, text_of
from gateway.wire.redaction import redact_patch
from gateway.wire.scrubbing import scrub

_NOT_KEPT: Final = frozenset({"chunk", "leaseToken", "redacted"})
REDACTED: Final = "$.data.chunk: secrets in added lines were redacted"
NOT_RESUMED: Final = (
    "The kept patch lacks secrets that its agent wrote, which are stored nowhere: a retry cannot "
    "go on with it, and pays an agent again."
)


async def kept_piece(
    sent: agent.PatchPiece | RescuedPiece,
    fields: dict[str, object],
    own: tuple[bytes, ...],
    thread: Executor,
) -> tuple[PatchPiece, bytes, tuple[str, ...]]:
    """The piece without secrets; the data of its event, which are its other fields; a sentence if
    something was redacted. WrongShape: the piece is not valid."""
    # A member may hold 1 MiB: looked through in a thread.
    try:
        found = await in_thread(thread, partial(_redacted, sent.chunk, sent.encoding, own))
    except Unreadable as exc:
        holder = ("data",) if isinstance(sent, agent.PatchPiece) else ()
        raise wrong_shape([((*holder, "chunk"), str(exc))]) from exc
    chunk, length, is_redacted = found
    piece = PatchPiece(
        revision=sent.revision, start=sent.offset, length=length, size=sent.size, chunk=chunk
    )
    others = {name: value for name, value in fields.items() if name not in _NOT_KEPT}
    others["bytes"] = length
    if is_redacted:
        given = others.get("warnings")
        sentences = [NOT_RESUMED, *(given if isinstance(given, list) else ())]
        others |= {"redacted": True, "warnings": sentences[:MAX_WARNINGS]}
    data, _ = scrub("task.patch", msgspec.json.encode(others), own)
    return piece, data, (REDACTED,) if is_redacted else ()


async def needs_rescue(reads: Reads, attempt: Attempt) -> bool:
    """True if its agent may have changed something of which no complete patch is kept."""
    if attempt.first_event_at is None or attempt.has_final_patch:
        return False
    if attempt.patch is None:
        return True
    pieces = await reads.patch_pieces(attempt.task_id, attempt.number)
    return all(each.hole is not None for each in revisions(pieces))


async def own_texts(context: Context, task_id: str, attempt: int) -> tuple[bytes, ...]:
    """Secrets of an attempt that have no form of their own."""
    known = await context.reads.attempts(task_id)
    key_ids = [each.key_id for each in known if each.number == attempt]
    try:
        return context.keyring.attempt_texts(key_ids[0], task_id, attempt)
    except (IndexError, UnknownKey):  # of a key that nobody has any more, nothing can leak
        return ()


def _redacted(
    chunk: str, encoding: Encoding | None, own: tuple[bytes, ...]
) -> tuple[bytes, int, bool]:
    text, stored = text_of(chunk, encoding)
    clean = redact_patch(text, [each.decode() for each in own], keeps_length=True)
    if clean != text:
        stored = packed(clean, encoding)
    return stored, len(clean.encode()), clean != text
