"""The agent's log: text in order, in chunks that the gateway takes, up to a limit."""

import codecs
from collections.abc import Callable
from typing import Final

from ..truncation import end_of_piece, last_of
from .events import CHUNK_BYTES
from .events import Log as LogEvent
from .redaction import Redaction

FLUSH_CHARACTERS: Final = 16 * 1024
LARGEST_BYTES: Final = 8 * 1024**2
TAIL_CHARACTERS: Final = 4_000
_SPARE_CHARACTERS: Final = 16 * 1024
"""Kept before the tail, so that a secret that begins there is found."""
_END: Final = f"\n[log ends here: over {LARGEST_BYTES} bytes]\n"


class Log:
    """Collects text and emits it as `task.log`; offsets count bytes of UTF-8."""

    def __init__(
        self, emit: Callable[[LogEvent], object], redaction: Redaction, *, offset: int = 0
    ) -> None:
        self._emit = emit
        self._redaction = redaction
        self._offset = offset
        self._pending = ""
        self._recent = ""
        self._is_full = offset >= LARGEST_BYTES
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    @property
    def tail(self) -> str:
        """The end of all that was written, without secrets."""
        return last_of(self._redaction.text(self._recent), TAIL_CHARACTERS)

    def feed(self, piece: bytes) -> None:
        """Take raw output of a command; a character may be split between pieces."""
        self.write(self._decoder.decode(piece))

    def write(self, text: str) -> None:
        """Take text; emit what has collected, up to a point where no secret can be cut."""
        self._recent = (self._recent + text)[-(TAIL_CHARACTERS + _SPARE_CHARACTERS) :]
        if self._is_full:
            return
        self._pending += text
        if len(self._pending) >= FLUSH_CHARACTERS:
            cut = end_of_piece(self._pending, len(self._pending))
            cut = self._redaction.beginning(self._pending[:cut])
            self._send(self._pending[:cut])
            self._pending = self._pending[cut:]

    def flush(self) -> None:
        self._send(self._pending)
        self._pending = ""

    def _send(self, text: str) -> None:
        for chunk in chunks(self._redaction.text(text)):
            if self._is_full:
                return
            self._is_full = self._offset + len(chunk.encode()) > LARGEST_BYTES
            sent = _END if self._is_full else chunk
            self._emit(LogEvent(offset=self._offset, chunk=sent))
            self._offset += len(sent.encode())


def chunks(text: str) -> list[str]:
    """The text in pieces of at most 64 KiB of UTF-8, cut at the end of lines where it has some."""
    encoded = text.encode(errors="replace")
    pieces = []
    at = 0
    while len(encoded) - at > CHUNK_BYTES:
        # The window may end inside a character.
        window = encoded[at : at + CHUNK_BYTES].decode(errors="ignore")
        pieces.append(window[: end_of_piece(window, len(window))])
        at += len(pieces[-1].encode())
    return [*pieces, encoded[at:].decode()] if at < len(encoded) else pieces
