"""A piece of a file, out of the tar stream in which `docker cp` brings it.

The file is the agent's and may have any size: what is not wanted goes by and is kept nowhere.
"""

import tarfile
from typing import Final

BLOCK: Final = 512


class FileWindow:
    """So many bytes of the first regular file in a stream, from an offset on."""

    def __init__(self, offset: int, limit: int) -> None:
        self.content = bytearray()
        self._before = offset
        self._limit = limit
        self._header = bytearray()
        self._wanted = 0
        """Bytes of the file that have not come yet."""
        self._unwanted = 0
        """Bytes to pass over until the next header; what follows the file never ends."""
        self._is_over = False

    def take(self, piece: bytes) -> None:
        """The next bytes of the stream."""
        left = memoryview(piece)
        while left and not self._is_over:
            if self._wanted:
                left = self._read(left)
            elif self._unwanted:
                step = min(len(left), self._unwanted)
                self._unwanted -= step
                left = left[step:]
            else:
                left = self._read_header(left)

    def _read(self, left: memoryview) -> memoryview:
        step = min(len(left), self._wanted)
        part = left[:step]
        passed = min(len(part), self._before)
        self._before -= passed
        self.content += part[passed:][: self._limit - len(self.content)]
        self._wanted -= step
        self._is_over = not self._wanted
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
            self._is_over = True
            return
        if member.isreg():
            self._wanted = member.size
            self._is_over = not member.size
        else:
            self._unwanted = -(-member.size // BLOCK) * BLOCK
