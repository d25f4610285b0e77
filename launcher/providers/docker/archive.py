"""Tar streams of `docker cp`, in both directions.

A file that is copied out is the agent's and may have any size: only a window of it is kept.
"""

import io
import tarfile
from typing import Final

BLOCK: Final = 512
"""Bytes of a header; contents fill whole blocks."""
_HEADERS_OF_HEADERS: Final = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)


def state_archive(name: str, content: bytes) -> bytes:
    """The state directory with one file, readable by its owner alone, the image's user or root:
    `cp --archive` sets it."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        directory = tarfile.TarInfo("slipgate-state")
        directory.type, directory.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(directory)
        member = tarfile.TarInfo(f"{directory.name}/{name}")
        member.size, member.mode = len(content), 0o600
        archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


class FileWindow:
    """`limit` bytes of the first regular file in a stream, from `offset` on."""

    def __init__(self, offset: int, limit: int) -> None:
        self.content = bytearray()
        self.size = 0
        """Bytes of the whole file."""
        self.is_over = False
        """True after the end of the file, or if there is none."""
        self._before = offset
        self._limit = limit
        self._header = bytearray()
        self._remaining = 0
        """Bytes until the end of the file."""
        self._to_skip = 0
        """Bytes until the next header."""

    def add(self, piece: bytes) -> None:
        """Handles the next bytes of the stream."""
        left = memoryview(piece)
        while left and not self.is_over:
            if self._remaining:
                left = self._read(left)
            elif self._to_skip:
                step = min(len(left), self._to_skip)
                self._to_skip -= step
                left = left[step:]
            else:
                left = self._read_header(left)

    def _read(self, left: memoryview) -> memoryview:
        step = min(len(left), self._remaining)
        part = left[:step]
        passed = min(len(part), self._before)
        self._before -= passed
        self.content += part[passed:][: self._limit - len(self.content)]
        self._remaining -= step
        self.is_over = not self._remaining
        return left[step:]

    def _read_header(self, left: memoryview) -> memoryview:
        need = BLOCK - len(self._header)
        self._header += left[:need]
        if len(self._header) == BLOCK:
            self._begin()
            self._header.clear()
        return left[need:]

    def _begin(self) -> None:
        try:
            member = tarfile.TarInfo.frombuf(bytes(self._header), "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            self.is_over = True
            return
        if member.isreg():
            self._remaining = self.size = member.size
            self.is_over = not member.size
        elif member.type in _HEADERS_OF_HEADERS:
            self._to_skip = -(-member.size // BLOCK) * BLOCK
        else:  # a directory or a link has replaced the file
            self.is_over = True
