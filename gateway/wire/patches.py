"""Pieces of a patch: text, or one gzip member of it in base64."""

import base64
import binascii
import gzip
import zlib
from typing import Annotated, Final, Literal

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Chunk = Annotated[str, msgspec.Meta(max_length=64 * 1024)]
"""At most 64 KiB: characters are limited here, and bytes are counted later."""
Encoding = Literal["gzip"]
RevisionNumber = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Sha = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9a-fA-F]{40}([0-9a-fA-F]{24})?$(?!\n)",
        description="40 or 64 hexadecimal digits",
    ),
]
WARNING_CHARACTERS: Final = 500
MAX_WARNINGS: Final = 50
Warnings = Annotated[
    tuple[Annotated[str, msgspec.Meta(max_length=WARNING_CHARACTERS)], ...],
    msgspec.Meta(max_length=MAX_WARNINGS),
]

CHUNK_BYTES: Final = 64 * 1024
MEMBER_BYTES: Final = 1024 * 1024
"""Text that one gzip member may hold."""
GZIP_MAGIC: Final = b"\x1f\x8b"
"""No UTF-8 text begins with these bytes, so a stored piece needs no other mark."""
_GZIP: Final = 16 + zlib.MAX_WBITS


class Unreadable(Exception):
    """The reason a piece cannot be read."""


def text_of(chunk: str, encoding: Encoding | None) -> tuple[str, bytes]:
    """The text of a piece, and the bytes to store.

    Raises:
        Unreadable: it does not have this encoding, or holds too much.
    """
    if encoding is None:
        return chunk, chunk.encode()
    try:
        member = base64.b64decode(chunk, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise Unreadable("Not base64") from exc
    return _unzipped(member), member


def packed(text: str, encoding: Encoding | None) -> bytes:
    return text.encode() if encoding is None else gzip.compress(text.encode(), 6, mtime=0)


def unpacked(stored: bytes) -> bytes:
    return gzip.decompress(stored) if stored.startswith(GZIP_MAGIC) else stored


def _unzipped(member: bytes) -> str:
    """Decompresses at most 1 MiB: a small member may hold gigabytes."""
    inflater = zlib.decompressobj(_GZIP)
    try:
        text = inflater.decompress(member, MEMBER_BYTES + 1)
    except zlib.error as exc:
        raise Unreadable("Not a gzip member") from exc
    if len(text) > MEMBER_BYTES:
        raise Unreadable(f"The gzip member holds more than {MEMBER_BYTES} bytes")
    if not inflater.eof or inflater.unused_data:
        raise Unreadable("Not one whole gzip member")
    try:
        return text.decode()
    except UnicodeDecodeError as exc:
        raise Unreadable("The gzip member does not hold UTF-8") from exc
