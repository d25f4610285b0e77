"""The record of the agent's turns, as its engine has written it, sent when the agent has ended."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from .. import files
from .events import TrajectoryPiece
from .log import chunks
from .redaction import Redaction

LARGEST_BYTES: Final = 4 * 1024**2
"""A longer record stays in the sandbox: half of one could not be read."""


def send(path: Path, emit: Callable[[TrajectoryPiece], object], redaction: Redaction) -> None:
    """Emit the file without secrets; nothing if there is none, or it is too large."""
    content = files.read(path, most=LARGEST_BYTES)
    if content is None:
        return
    offset = 0
    for chunk in chunks(redaction.text(content.decode(errors="replace"))):
        emit(TrajectoryPiece(offset=offset, chunk=chunk))
        offset += len(chunk.encode())
