"""The stored patch of an attempt: pieces of one or more revisions."""

from collections.abc import Iterable, Iterator
from typing import Final

from gateway.domain.tasks.spec import Document
from gateway.domain.tasks.task import Frozen

MIB: Final = 1024 * 1024
MAX_PATCH: Final = 100 * MIB
"""Bytes of UTF-8 of one revision."""
MAX_STORED: Final = 192 * MIB
"""Limit of all stored pieces of an attempt (bytes)."""
ROW_BYTES: Final = 512
"""Bytes counted for each piece beside its text and data: its rows and their indexes."""
MAX_WARNINGS: Final = 50


class PatchPiece(Frozen, frozen=True, kw_only=True):
    """A piece of a revision, stored apart from its event; lengths in bytes of UTF-8."""

    revision: int
    start: int
    length: int
    size: int | None
    """Size of the whole revision, if its sender gave it."""
    chunk: bytes
    """The text, or one gzip member of it."""

    @property
    def is_too_far(self) -> bool:
        """True if its patch exceeds the limit."""
        return max(self.start + self.length, self.size or 0) > MAX_PATCH


class PatchDetails(Document, frozen=True, kw_only=True):
    """The data of `task.patch` without the text."""

    partial: bool = False
    base_sha: str | None = None
    summary: str | None = None
    warnings: tuple[str, ...] = ()
    redacted: bool = False
    """Secrets were taken out of the text: it is not the agent's work any more."""


class StoredPiece(Frozen, frozen=True, kw_only=True):
    """A piece without its text."""

    task_seq: int
    attempt: int
    revision: int
    start: int
    length: int
    size: int | None
    details: PatchDetails = PatchDetails()

    @property
    def end(self) -> int:
        return self.start + self.length


class Revision(Frozen, frozen=True, kw_only=True):
    """The newest pieces that an attempt sent under one revision number."""

    attempt: int
    number: int
    pieces: tuple[StoredPiece, ...]
    """In the order of the text; of equal offsets the newest comes first."""
    size: int
    """Bytes of the complete text."""

    @property
    def hole(self) -> tuple[int, int] | None:
        """The first and the last byte of the first gap."""
        reached = 0
        for piece in self.pieces:
            if piece.start > reached:
                return reached, piece.start - 1
            reached = max(reached, piece.end)
        return None if reached >= self.size else (reached, self.size - 1)

    @property
    def oldest(self) -> int:
        """The number of the event of its first piece."""
        return min(piece.task_seq for piece in self.pieces)

    @property
    def details(self) -> PatchDetails:
        """The combined details of its pieces; newer ones win."""
        details = [piece.details for piece in sorted(self.pieces, key=lambda each: each.task_seq)]
        return PatchDetails(
            partial=any(each.partial for each in details),
            base_sha=next((each.base_sha for each in reversed(details) if each.base_sha), None),
            summary=next((each.summary for each in reversed(details) if each.summary), None),
            warnings=once(text for each in details for text in each.warnings),
            redacted=any(each.redacted for each in details),
        )

    def parts(self) -> Iterator[tuple[StoredPiece, int, int]]:
        """Its pieces without overlaps: each with the range of its bytes that counts."""
        reached = 0
        for piece in self.pieces:
            end = min(piece.end, self.size)
            if end > reached:
                yield piece, reached - piece.start, end - piece.start
                reached = end


def revisions(pieces: Iterable[StoredPiece]) -> list[Revision]:
    """Sorted by attempt and number, newest first."""
    grouped: dict[tuple[int, int], list[StoredPiece]] = {}
    for piece in pieces:
        grouped.setdefault((piece.attempt, piece.revision), []).append(piece)
    return [_revision(key, grouped[key]) for key in sorted(grouped, reverse=True)]


def once(texts: Iterable[str]) -> tuple[str, ...]:
    """Each text once, in order; only the newest, if there are too many."""
    return tuple(dict.fromkeys(texts))[-MAX_WARNINGS:]


def _revision(key: tuple[int, int], pieces: list[StoredPiece]) -> Revision:
    """Pieces with another total size than the newest one belong to an abandoned text."""
    newest_first = sorted(pieces, key=lambda piece: -piece.task_seq)
    size = next((piece.size for piece in newest_first if piece.size is not None), None)
    valid = [piece for piece in newest_first if size is None or piece.size in {None, size}]
    in_order = tuple(sorted(valid, key=lambda piece: piece.start))
    end = max(piece.end for piece in in_order)
    return Revision(
        attempt=key[0], number=key[1], pieces=in_order, size=end if size is None else size
    )
