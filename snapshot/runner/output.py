"""The process's own output, which nobody has to read: a full disk or a closed pipe ends nothing."""

import io
import sys
from contextlib import suppress
from typing import TextIO


def tolerate() -> None:
    """Let what cannot be written to standard output or error be lost."""
    sys.stdout, sys.stderr = _tolerant(sys.stdout), _tolerant(sys.stderr)


class _Tolerant(io.TextIOWrapper):
    def write(self, text: str, /) -> int:
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def _tolerant(stream: TextIO) -> TextIO:
    try:
        file = io.FileIO(stream.fileno(), "w", closefd=False)
    except (AttributeError, OSError, ValueError):  # closed from the start, or none of a file
        return stream
    return _Tolerant(file, "utf-8", "backslashreplace", write_through=True)
