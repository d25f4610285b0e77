"""The messages of an attempt, on disk before they are sent; the launcher reads what we cannot send.

`spool.jsonl` is append-only, one signed message a line; `spool.acknowledged` holds the byte offset
up to which the gateway has everything. Where the kernel cannot confine the agent's commands they
can write here: lines without our signature are neither believed nor sent, and what was removed,
altered, closed or replaced is written again.
"""

import os
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from .. import files
from .messages import Message

SPOOL: Final = "spool.jsonl"
ACKNOWLEDGED: Final = "spool.acknowledged"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A message and the offset after its line."""

    message: Message
    end: int


class Spool:
    """The attempt's messages in order. Safe from several threads."""

    def __init__(self, directory: Path, *, is_ours: Callable[[Message], bool]) -> None:
        self._path = directory / SPOOL
        self._acknowledged_path = directory / ACKNOWLEDGED
        self._lock = threading.Lock()
        # A kill may have torn the last line.
        lines = _read(self._path).splitlines(keepends=True)
        self._lines = [line for line in lines if line.endswith(b"\n")]
        self._end = sum(map(len, self._lines))
        self._acknowledged = self._read_acknowledged()
        self._descriptor: int | None = None
        self._changed_at = 0
        """The kernel's time of our last change, which nobody can set back."""
        self._rewrite()
        self.entries = [entry for entry in _entries(self._lines) if is_ours(entry.message)]

    @property
    def pending(self) -> list[Entry]:
        """Messages of an earlier start that the gateway has not acknowledged."""
        return [entry for entry in self.entries if entry.end > self._acknowledged]

    @property
    def began_at(self) -> float:
        """Unix seconds of the attempt's first message; now if there is none."""
        return float(self.entries[0].message.timestamp) if self.entries else time.time()

    def append(self, messages: Sequence[Message]) -> list[Entry]:
        """Write messages to the disk, in one go.

        With a full disk they are sent all the same, and written with the next.
        """
        lines = [msgspec.json.encode(message) + b"\n" for message in messages]
        with self._lock:
            entries = []
            for message, line in zip(messages, lines, strict=True):
                self._lines.append(line)
                self._end += len(line)
                entries.append(Entry(message=message, end=self._end))
            self._write(b"".join(lines))
            return entries

    def flush(self) -> None:
        """Write again what a full disk did not take."""
        with self._lock:
            self._write(b"")

    def acknowledge(self, end: int) -> None:
        """Note that the gateway has everything up to this offset; losing the note costs resends."""
        with self._lock:
            self._acknowledged = end
            self._write_acknowledged()

    def _write(self, new: bytes) -> None:
        try:
            if self._descriptor is not None and self._is_intact(self._descriptor, len(new)):
                _write_all(self._descriptor, new)
                self._changed_at = os.fstat(self._descriptor).st_ctime_ns
            else:
                self._rewrite()
        except OSError as exc:
            print(f"the spool could not be written: {exc}", file=sys.stderr, flush=True)
            return
        if self._acknowledged != self._read_acknowledged():
            self._write_acknowledged()

    def _is_intact(self, descriptor: int, new: int) -> bool:
        """True if a reader finds our file, complete but for its last `new` bytes."""
        try:
            found, directory = self._path.lstat(), self._path.parent.lstat()
        except OSError:
            return False
        ours = os.fstat(descriptor)
        is_open = directory.st_mode & found.st_mode & 0o600 == 0o600
        is_open &= stat.S_ISDIR(directory.st_mode)
        is_ours = (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)
        is_unchanged = found.st_ctime_ns == self._changed_at
        return is_ours and is_open and is_unchanged and found.st_size == self._end - new

    def _rewrite(self) -> None:
        files.reopen_path(self._path.parent)
        _replace(self._path, b"".join(self._lines))
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._changed_at = os.fstat(self._descriptor).st_ctime_ns

    def _write_acknowledged(self) -> None:
        with suppress(OSError):
            _replace(self._acknowledged_path, str(self._acknowledged).encode())

    def _read_acknowledged(self) -> int:
        try:
            return int(_read(self._acknowledged_path))
        except ValueError:
            return 0


def _entries(lines: list[bytes]) -> list[Entry]:
    entries = []
    end = 0
    for line in lines:
        end += len(line)
        try:
            message = msgspec.json.decode(line, type=Message)
        except msgspec.MsgspecError:
            continue
        entries.append(Entry(message=message, end=end))
    return entries


def _read(path: Path) -> bytes:
    """The content of a regular file whatever its mode; empty for anything else."""
    with suppress(OSError):
        if stat.S_ISREG(path.lstat().st_mode):
            path.chmod(0o600)
    return files.read(path) or b""


def _replace(path: Path, content: bytes) -> None:
    """Replace a file atomically; a directory in its place is moved away."""
    descriptor, new = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        try:
            _write_all(descriptor, content)
        finally:
            os.close(descriptor)
        if path.is_dir() and not path.is_symlink():
            path.rename(tempfile.mkdtemp(prefix="work-", dir=path.parent))
        Path(new).replace(path)
    except OSError:
        Path(new).unlink(missing_ok=True)
        raise


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:  # a full disk takes a part before it refuses
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)
