"""Lines of a program's output, which comes in pieces and may hold a line without an end."""

from collections.abc import Iterator
from typing import Final

LONGEST_BYTES: Final = 16 * 1024**2
"""Of a line that is read; the rest of a longer one is skipped."""


class Lines:
    """Splits pieces into whole lines."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._is_skipping = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that end in this piece, without their line breaks."""
        *ended, begun = piece.split(b"\n")
        for end in ended:
            line = bytes(self._begun) + end
            self._begun.clear()
            if not self._is_skipping:
                yield line
            self._is_skipping = False
        if not self._is_skipping:
            self._begun += begun
        if len(self._begun) > LONGEST_BYTES:
            self._begun.clear()
            self._is_skipping = True

    def rest(self) -> bytes:
        """The beginning of a line that has not ended."""
        return bytes(self._begun)
