"""Parses an agent's spool: signed webhooks, one per line, in whole lines and bounded pieces.

The agent writes it, so nothing in it is trusted: an invalid line is skipped and counted, for it
must not hold back the lines behind it.
"""

import base64
import binascii
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO, Final

import msgspec

from gateway.wire.launcher import SPOOL_BYTES_PER_CALL, Spooled
from launcher.providers.protocol import SpoolPiece

SPOOL: Final = "spool.jsonl"
ACKNOWLEDGED: Final = "spool.acknowledged"
WINDOW_BYTES: Final = 1024 * 1024
"""Bytes of a spool that are copied out of a sandbox at a time."""
LINE_BYTES: Final = 1_000_000
"""A longer line would not fit a request of 1 MiB; one over a piece's size goes alone."""
LINES_PER_PIECE: Final = 5_000
SCAN_BYTES: Final = 16 * 1024 * 1024
"""Limit of one call, however much of it is invalid."""


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the spool; unknown fields are ignored."""

    id: str
    timestamp: int
    signature: str
    body: str


def resume_offset(offset: int, acknowledged: int, *, size: int) -> int:
    """The offset to read from in a spool of `size` bytes. One past its end is invalid: an agent
    wrote it, or had replaced the spool by another file, and no line may be missed."""
    return max((each for each in (offset, acknowledged) if each <= size), default=0)


def read_window(
    window: bytes, start: int, *, is_cut: bool, limit: int = SPOOL_BYTES_PER_CALL
) -> SpoolPiece:
    """The lines of a window that begins at `start`; `is_cut`: there may be more behind it."""
    piece = read_lines(io.BytesIO(window), 0, limit)
    offset = piece.offset
    if is_cut and piece.offset == 0:
        # One line fills the whole window: it is too long for any report.
        offset, piece = len(window), replace(piece, skipped=piece.skipped + 1)
    return replace(piece, offset=start + offset, has_more=piece.has_more or is_cut)


def read_lines(spool: BinaryIO, start: int, limit: int) -> SpoolPiece:
    taken: list[Spooled] = []
    offset, skipped, size = start, 0, 0
    has_more = False
    for end, line in _lines(spool, start):
        is_full = size + (end - offset) > limit or len(taken) >= LINES_PER_PIECE
        if (taken and is_full) or offset - start > SCAN_BYTES:
            has_more = True
            break
        webhook = _parse(line)
        if webhook is None:
            skipped += 1
        else:
            taken.append(webhook)
            size += end - offset
        offset = end
    return SpoolPiece(lines=tuple(taken), offset=offset, has_more=has_more, skipped=skipped)


def _lines(spool: BinaryIO, start: int) -> Iterator[tuple[int, bytes | None]]:
    """Whole lines with the offset behind each; None for one too long; a torn last one is left."""
    spool.seek(start)
    end = start
    while piece := spool.readline(LINE_BYTES):
        end += len(piece)
        is_too_long = False
        while piece and not piece.endswith(b"\n"):
            is_too_long = True
            piece = spool.readline(LINE_BYTES)
            end += len(piece)
        if not piece:
            return
        yield end, None if is_too_long else piece


def _parse(line: bytes | None) -> Spooled | None:
    if line is None:
        return None
    try:
        read = msgspec.json.decode(line, type=_Line)
        base64.b64decode(read.body, validate=True)
        return msgspec.convert(msgspec.to_builtins(read), Spooled)
    except (msgspec.DecodeError, binascii.Error, ValueError):
        return None
