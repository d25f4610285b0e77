"""A patch as the gateway keeps it: in pieces, each of them one event."""

import base64
import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from ..truncation import first_of
from .events import CHUNK_BYTES, PatchChunk

MEMBER_BYTES: Final = 1024**2
"""Of text in one piece: the gateway unpacks no more at a time."""
PACKED_BYTES: Final = CHUNK_BYTES // 4 * 3
"""Base64 makes a whole chunk of them."""
GZIP_LEVEL: Final = 3
SUMMARY_CHARACTERS: Final = 8_000
LARGEST_WARNINGS: Final = 50
"""The gateway takes no more."""


class KeptPatch(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of an attempt's patch."""

    text: str
    base_sha: str
    """Empty if the gateway does not know it."""
    summary: str = ""
    """In the agent's own words."""
    warnings: tuple[str, ...] = ()
    revision: int = 1
    is_partial: bool = False
    """The agent was interrupted."""

    def pieces(self) -> Iterator[PatchChunk]:
        """The events that report it; the first and the last have summary and warnings."""
        content = self.text.encode()
        bare = PatchChunk(
            offset=0,
            chunk="",
            revision=self.revision,
            size=len(content),
            partial=self.is_partial,
            base_sha=self.base_sha,
        )
        full = msgspec.structs.replace(
            bare,
            summary=first_of(self.summary, SUMMARY_CHARACTERS),
            warnings=self.warnings[:LARGEST_WARNINGS],
        )
        if len(content) <= CHUNK_BYTES:
            yield msgspec.structs.replace(full, chunk=self.text)
            return
        for offset, size, chunk in _packed(content):
            is_end = offset == 0 or offset + size == len(content)
            event = full if is_end else bare
            yield msgspec.structs.replace(event, offset=offset, chunk=chunk, encoding="gzip")

    def following(self, before: "KeptPatch | None") -> "KeptPatch":
        """This patch as the revision after another one."""
        return msgspec.structs.replace(self, revision=before.revision + 1) if before else self


def newest(pieces: Iterable[PatchChunk]) -> KeptPatch | None:
    """The newest complete revision of reported pieces, of which some may be repeated."""
    revisions: dict[int, dict[int, PatchChunk]] = {}
    for piece in pieces:
        revisions.setdefault(piece.revision, {})[piece.offset] = piece
    whole = (_joined(parts) for _, parts in sorted(revisions.items(), reverse=True))
    return next((kept for kept in whole if kept is not None), None)


def _joined(parts: Mapping[int, PatchChunk]) -> KeptPatch | None:
    if (first := parts.get(0)) is None:
        return None
    content = bytearray()
    while (piece := parts.get(len(content))) and (part := _content(piece)):
        content += part
    if len(content) != first.size:
        return None
    return KeptPatch(
        text=content.decode(errors="replace"),
        base_sha=first.base_sha,
        summary=first.summary,
        warnings=first.warnings,
        revision=first.revision,
        is_partial=first.partial,
    )


def _packed(content: bytes) -> Iterator[tuple[int, int, str]]:
    """Offset, bytes of text and chunk of each piece: as much text as its packed form allows."""
    at = 0
    size = MEMBER_BYTES
    while at < len(content):
        taken = content[at : at + size].decode(errors="ignore").encode()
        packed = gzip.compress(taken, GZIP_LEVEL, mtime=0)
        if len(packed) > PACKED_BYTES:
            size = int(size * PACKED_BYTES / len(packed) * 0.95)
            continue
        yield at, len(taken), base64.b64encode(packed).decode()
        at += len(taken)
        size = min(MEMBER_BYTES, size * 5 // 4)


def _content(piece: PatchChunk) -> bytes:
    if piece.encoding != "gzip":
        return piece.chunk.encode()
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        return unpacker.decompress(base64.b64decode(piece.chunk), MEMBER_BYTES)
    except (ValueError, zlib.error):
        return b""
