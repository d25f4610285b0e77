"""Files in the tar streams of `docker cp`: a piece of one that comes out, and those that go in.

A file that comes out is the agent's and may have any size: what is not wanted goes by and is kept
nowhere.
"""

import io
import tarfile
from typing import Final

BLOCK: Final = 512
_HEADERS_OF_HEADERS: Final = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)


def environment_archive(variables: bytes) -> bytes:
    """The state directory of a sandbox with what its entry reads and removes."""
    return _archive("environment.json", variables)


def rescue_archive() -> bytes:
    """The state directory with the word that its next start is to print what lies there."""
    return _archive("rescue", b"")


def _archive(name: str, content: bytes) -> bytes:
    """For their owner alone, who is set by docker (`cp --archive`): the image's user, or root."""
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
    """So many bytes of the first regular file in a stream, from an offset on."""

    def __init__(self, offset: int, limit: int) -> None:
        self.content = bytearray()
        self.size = 0
        """Bytes of the whole file."""
        self.is_over = False
        """All of the file has come by, or there is none."""
        self._before = offset
        self._limit = limit
        self._header = bytearray()
        self._wanted = 0
        """Bytes of the file that have not come yet."""
        self._unwanted = 0
        """Bytes to pass over until the next header; what follows the file never ends."""

    def take(self, piece: bytes) -> None:
        """The next bytes of the stream."""
        left = memoryview(piece)
        while left and not self.is_over:
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
        self.is_over = not self._wanted
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
            self._wanted = self.size = member.size
            self.is_over = not member.size
        elif member.type in _HEADERS_OF_HEADERS:
            self._unwanted = -(-member.size // BLOCK) * BLOCK
        else:  # a directory or a link in the file's place: nothing behind it is the file
            self.is_over = True
