"""The log of an agent, sent in pieces that may come late, twice, or never.

Offsets count bytes of UTF-8.
"""

from collections.abc import Iterable, Iterator

from gateway.domain.tasks.task import Frozen


class Piece(Frozen, frozen=True, kw_only=True):
    """A piece of the text of one attempt."""

    attempt: int
    offset: int
    chunk: str

    @property
    def end(self) -> int:
        return self.offset + len(self.chunk.encode())

    def from_byte(self, offset: int) -> str:
        """Its text from that byte on, without a partial character."""
        return self.chunk.encode()[max(offset - self.offset, 0) :].decode(errors="ignore")


def in_order(pieces: Iterable[Piece]) -> list[Piece]:
    return sorted(pieces, key=lambda piece: (piece.attempt, piece.offset))


def gaps(pieces: Iterable[Piece], before: Piece | None) -> Iterator[int]:
    """The number of bytes missing before each of these ordered pieces; `before` is the last piece
    already read."""
    attempt, reached = (before.attempt, before.end) if before else (0, 0)
    for piece in pieces:
        if piece.attempt != attempt:
            attempt, reached = piece.attempt, 0
        yield max(piece.offset - reached, 0)
        reached = max(reached, piece.end)


class Transcript:
    """A log as one text, page by page, with a mark in place of each gap."""

    def __init__(self, before: Piece | None = None) -> None:
        """`before` is the last piece already read."""
        self._attempt = before.attempt if before else 0
        self._reached = before.end if before else 0
        self._holes: list[tuple[int, int]] = []

    def add(self, pieces: Iterable[Piece]) -> str:
        """The text of the next pieces."""
        return "".join(map(self._add, in_order(pieces)))

    def _add(self, piece: Piece) -> str:
        heading = self._turn_to(piece.attempt)
        if piece.offset < self._reached:
            return heading + self._late(piece)
        mark = ""
        if piece.offset > self._reached:
            mark = f"\n[{piece.offset - self._reached} bytes are missing]\n"
            self._holes.append((self._reached, piece.offset))
        self._reached = piece.end
        return heading + mark + piece.chunk

    def _turn_to(self, attempt: int) -> str:
        if attempt == self._attempt:
            return ""
        heading = f"\n[attempt {attempt}]\n" if self._attempt else ""
        self._attempt, self._reached, self._holes = attempt, 0, []
        return heading

    def _late(self, piece: Piece) -> str:
        """Text of a piece that fills a gap, extends the log, or repeats a part of it."""
        for first, end in self._holes:
            if first <= piece.offset < end:
                self._holes.remove((first, end))
                left = ((first, piece.offset), (piece.end, end))
                self._holes += [hole for hole in left if hole[0] < hole[1]]
                span = f"bytes {piece.offset} to {piece.end - 1}"
                return f"\n[{span}, which came late]\n{piece.chunk}\n"
        rest = piece.from_byte(self._reached) if piece.end > self._reached else ""
        self._reached = max(self._reached, piece.end)
        return rest
