"""What a command printed: all of it counted and hashed, only its two ends kept."""

import hashlib
from typing import Final

HEAD_BYTES: Final = 48 * 1024
TAIL_BYTES: Final = 48 * 1024


class BoundedOutput:
    """Takes any amount of output in constant memory."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._digest = hashlib.sha256()
        self.total_bytes = 0

    def add(self, piece: bytes) -> None:
        """Take the next piece."""
        self.total_bytes += len(piece)
        self._digest.update(piece)
        workdir = HEAD_BYTES - len(self._head)
        self._head += piece[:workdir]
        self._tail += piece[workdir:]
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]

    @property
    def digest(self) -> str:
        """SHA-256 of all of it, in hexadecimal."""
        return self._digest.hexdigest()

    @property
    def text(self) -> str:
        """The two ends, with what was left out named between them."""
        tail = self._tail[-TAIL_BYTES:]
        omitted = self.total_bytes - len(self._head) - len(tail)
        note = f"\n[... {omitted} bytes left out ...]\n" if omitted else ""
        head = self._head.decode(errors="replace")
        return head + note + tail.decode(errors="replace")
