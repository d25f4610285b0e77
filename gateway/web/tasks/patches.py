"""The patch of a task: the choice among revisions, and its text as a stream."""

from collections.abc import AsyncIterator, Iterable
from typing import Final

import msgspec

from gateway.domain.agents.patch import PatchDetails, Revision, StoredPiece, revisions
from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import Attempt, Frozen, Task
from gateway.store.protocol import Reads
from gateway.wire.agent import TERMINAL_EVENTS
from gateway.wire.patches import unpacked
from gateway.wire.redaction import MARK

_FINAL: Final = ("task.retried", "task.cancelled", *sorted(TERMINAL_EVENTS))
_MARK: Final = MARK.partition("{")[0].encode()
_AT_A_TIME: Final = 2
"""Pieces that are read together: at most 2 MiB of text, which a slow reader keeps in memory."""


class _Final(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The fields of a final event that are read."""

    patch: str | None = None
    summary: str | None = None
    warnings: tuple[str, ...] = ()


class _Retry(msgspec.Struct, frozen=True, kw_only=True):
    word: _Final | None = None


class WholePatch(Frozen, frozen=True, kw_only=True):
    """A patch without a hole."""

    attempt: int
    size: int
    """Bytes of UTF-8."""
    details: PatchDetails
    revision: Revision | None = None
    final: bytes = b""
    """Its text, if a final event has brought it."""

    @property
    def is_redacted(self) -> bool:
        """True if it lacks secrets that its agent wrote."""
        return self.details.redacted or _MARK in self.final

    async def text(self, reads: Reads, task_id: str) -> AsyncIterator[bytes]:
        """Its text, a few pieces at a time."""
        if self.revision is None:
            yield self.final
            return
        parts = list(self.revision.parts())
        for first_part in range(0, len(parts), _AT_A_TIME):
            some = parts[first_part : first_part + _AT_A_TIME]
            chunks = await reads.chunks(task_id, [piece.task_seq for piece, _, _ in some])
            for piece, first, end in some:
                yield unpacked(chunks[piece.task_seq])[first:end]


async def newest_patch(reads: Reads, task: Task, attempt: int | None = None) -> WholePatch:
    """The newest whole patch of the newest attempt that has one, or of this attempt; or
    `patch_incomplete`, or `no_patch` with the reason."""
    attempts = [each for each in await reads.attempts(task.id) if attempt in {None, each.number}]
    found = await _whole_patches(reads, task.id, attempts)
    patch = next((each for each in found if each.size), None)
    if patch is not None:
        return patch
    if not found:
        await _refuse_incomplete(reads, task.id, attempt)
    raise ApiError("no_patch", _reason(task, attempts, attempt, is_empty=bool(found)))


async def resumable_patch(reads: Reads, task_id: str, attempt: int) -> WholePatch | None:
    """The patch this attempt may resume: the newest whole one of an earlier attempt that was not
    interrupted and has not delivered it, as its agent made it."""
    known = await reads.attempts(task_id) if attempt > 1 else []
    earlier = [each for each in known if each.number < attempt and each.resumable]
    found = await _whole_patches(reads, task_id, earlier, is_settled=True)
    return next((patch for patch in found if patch.size and not patch.is_redacted), None)


async def _whole_patches(
    reads: Reads, task_id: str, attempts: Iterable[Attempt], *, is_settled: bool = False
) -> list[WholePatch]:
    """The newest whole patch of each of these attempts that has one, newest attempt first;
    `is_settled`: none of an agent that was interrupted, and rather its own than that of a final
    event, whose summary and warnings tell of the attempt's end."""
    keeping = {each.number: each.patch for each in attempts if each.patch is not None}
    if not keeping:
        return []
    pieces = await reads.patch_pieces(task_id)
    in_final = any(kept.in_final for kept in keeping.values())
    finals = await reads.events_of_types(task_id, _FINAL, is_late_too=True) if in_final else []
    if is_settled:
        pieces = [piece for piece in pieces if not piece.details.partial]
    chosen = (
        _whole(number, pieces, finals, prefers_pieces=is_settled)
        for number in sorted(keeping, reverse=True)
    )
    return [patch for patch in chosen if patch is not None]


def _whole(
    attempt: int, pieces: list[StoredPiece], finals: list[Event], *, prefers_pieces: bool
) -> WholePatch | None:
    """The patch of the final event, unless another revision began after it."""
    sent = revisions(piece for piece in pieces if piece.attempt == attempt)
    revision = next((each for each in sent if each.hole is None), None)
    sent_last = [(each.task_seq, _data(each)) for each in finals if each.attempt == attempt]
    seq, final = next(((seq, one) for seq, one in sent_last if one.patch), (0, _Final()))
    is_newer = revision is not None and (prefers_pieces or revision.oldest > seq)
    if final.patch and not is_newer:
        text = final.patch.encode()
        base = next((each.details.base_sha for each in sent if each.details.base_sha), None)
        details = PatchDetails(base_sha=base, summary=final.summary, warnings=final.warnings)
        return WholePatch(attempt=attempt, size=len(text), details=details, final=text)
    if revision is None:
        return None
    return WholePatch(
        attempt=attempt, size=revision.size, details=revision.details, revision=revision
    )


def _data(final: Event) -> _Final:
    """Data of the agent's final event, also if a retry holds it."""
    if final.type == "task.retried":
        return msgspec.json.decode(final.data, type=_Retry).word or _Final()
    return msgspec.json.decode(final.data, type=_Final)


async def _refuse_incomplete(reads: Reads, task_id: str, attempt: int | None) -> None:
    sent = revisions(await reads.patch_pieces(task_id, attempt))
    hole = next((each.hole for each in sent if each.hole is not None), None)
    if hole is not None:
        raise ApiError(
            "patch_incomplete",
            f"A part of the patch has not arrived: bytes {hole[0]} to {hole[1]}.",
            hint="Ask again in a moment; once its sandbox is gone it will not come any more.",
        )


def _reason(task: Task, attempts: list[Attempt], asked: int | None, *, is_empty: bool) -> str:
    newest = max(attempts, key=lambda each: each.number, default=None)
    number = asked or task.attempt
    if is_empty:
        return "The agent changed no file."
    if number > task.attempt:
        return f"There is no attempt {number}: the newest is {task.attempt}."
    if newest is None or newest.first_event_at is None:
        return f"No agent has begun to work in attempt {number}."
    if newest.number == task.attempt and not task.status.is_terminal:
        return f"The agent of attempt {newest.number} is at work and has sent no patch yet."
    return f"Attempt {newest.number} has ended ({newest.outcome}) and sent no patch."
