"""Pieces of patches are kept apart from their events, up to a bound of their own."""

from msgspec.structs import replace

from gateway.domain.agents.patch import (
    MAX_PATCH,
    MAX_STORED,
    MIB,
    ROW_BYTES,
    PatchPiece,
)
from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import Attempt, KeptPatch
from gateway.domain.tasks.task_change import TaskChange


def fits_limit(attempt: Attempt, event: Event, piece: PatchPiece) -> bool:
    """Whether the attempt may keep this piece too."""
    kept = attempt.patch or KeptPatch()
    return not piece.is_too_far and kept.stored + _taken(event, piece) <= MAX_STORED


def save_piece(change: TaskChange, attempt: Attempt, event: Event, piece: PatchPiece) -> None:
    """Records the event and keeps its text.

    Raises:
        ApiError: `patch_too_large`.
    """
    if not fits_limit(attempt, event, piece):
        raise ApiError(
            "patch_too_large",
            f"A patch has at most {MAX_PATCH // MIB} MiB, and all pieces of an attempt take at "
            f"most {MAX_STORED // MIB} MiB as stored.",
            hint="Leave out what is too big, and name it in `warnings`.",
        )
    kept = attempt.patch or KeptPatch()
    stored = replace(kept, stored=kept.stored + _taken(event, piece))
    change.put_attempt(replace(attempt, patch=stored))
    change.record(event, event.fact)
    change.attach(event, piece)


def _taken(event: Event, piece: PatchPiece) -> int:
    return len(piece.chunk) + len(event.data) + ROW_BYTES
