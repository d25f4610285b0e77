"""The agent's log: text in order, in chunks the gateway takes, up to a bound."""

import codecs
from collections.abc import Callable
from typing import Final

from .words import CHUNK_BYTES
from .words import Log as LogWord

FLUSH_BYTES: Final = 16 * 1024
LARGEST_BYTES: Final = 8 * 1024**2
TAIL_CHARACTERS: Final = 4_000
_END: Final = f"\n[log ends here: over {LARGEST_BYTES} bytes]\n"


class Log:
    """Collects text and says it as `task.log`; offsets count bytes of UTF-8."""

    def __init__(
        self, say: Callable[[LogWord], object], redact: Callable[[str], str], *, offset: int = 0
    ) -> None:
        self._say = say
        self._redact = redact
        self._offset = offset
        self._pending = ""
        self._is_full = offset >= LARGEST_BYTES
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.tail = ""

    def feed(self, piece: bytes) -> None:
        """Take raw output of a command; a character may be split between pieces."""
        self.write(self._decoder.decode(piece))

    def write(self, text: str) -> None:
        """Take text; whole lines are sent once enough has come together."""
        self.tail = (self.tail + text)[-TAIL_CHARACTERS:]
        if self._is_full:
            return
        self._pending += text
        if len(self._pending) >= FLUSH_BYTES:
            cut = self._pending.rfind("\n") + 1 or len(self._pending)
            self._send(self._pending[:cut])
            self._pending = self._pending[cut:]

    def flush(self) -> None:
        """Send what is there."""
        self._send(self._pending)
        self._pending = ""

    def _send(self, text: str) -> None:
        for chunk in chunks(self._redact(text)):
            if self._is_full:
                return
            self._is_full = self._offset + len(chunk.encode()) > LARGEST_BYTES
            said = LogWord(offset=self._offset, chunk=_END if self._is_full else chunk)
            self._say(said)
            self._offset += len(said.chunk.encode())


def chunks(text: str) -> list[str]:
    """The text in pieces of at most 64 KiB of UTF-8, never inside a character."""
    encoded = text.encode(errors="replace")
    pieces = []
    while encoded:
        end = min(CHUNK_BYTES, len(encoded))
        while end < len(encoded) and encoded[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(encoded[:end].decode())
        encoded = encoded[end:]
    return pieces
