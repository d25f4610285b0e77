"""What was said, on disk before it is sent: the launcher drains it when we cannot send.

`spool.jsonl` is append-only, one signed message a line; `spool.acknowledged` holds the byte offset
up to which the gateway has everything. Commands of the agent run under our user, and where the
kernel cannot confine them they can write here: lines that our key did not sign are never believed
nor sent, and what was removed, altered, closed or put in the place of a file is written again.
"""

import errno
import os
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from ..state_directory import open_way

SPOOL: Final = "spool.jsonl"
ACKNOWLEDGED: Final = "spool.acknowledged"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One line: a message as it was first signed; `body` is base64 on disk."""

    id: str
    timestamp: int
    signature: str
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A message and the offset after its line."""

    message: Message
    end: int


class Spool:
    """The attempt's messages in order. Safe from several threads."""

    def __init__(self, directory: Path, *, is_ours: Callable[[Message], bool]) -> None:
        self._path = directory / SPOOL
        self._acknowledged_path = directory / ACKNOWLEDGED
        self._lock = threading.Lock()
        self._lines = _whole_lines(self._path)
        self._end = sum(map(len, self._lines))
        self._acknowledged = self._read_acknowledged()
        self._descriptor: int | None = None
        self._changed_at = 0
        """When we changed the file last, as the kernel tells it: nobody can set that back."""
        self._write_anew()
        self.entries = [entry for entry in _entries(self._lines) if is_ours(entry.message)]

    @property
    def pending(self) -> list[Entry]:
        """What an earlier start said and nobody acknowledged."""
        return [entry for entry in self.entries if entry.end > self._acknowledged]

    @property
    def began_at(self) -> float:
        """When the attempt said its first word (Unix seconds); now if it has said none."""
        return float(self.entries[0].message.timestamp) if self.entries else time.time()

    def append(self, message: Message) -> Entry:
        """Write one message and do not return before it is on the disk."""
        return self.append_all([message])[0]

    def append_all(self, messages: Sequence[Message]) -> list[Entry]:
        """The same for many, in one go.

        A full disk must not silence us: they are then only sent, and written with the next.
        """
        lines = [msgspec.json.encode(message) + b"\n" for message in messages]
        with self._lock:
            entries = []
            for message, line in zip(messages, lines, strict=True):
                self._lines.append(line)
                self._end += len(line)
                entries.append(Entry(message=message, end=self._end))
            self._put(b"".join(lines))
            return entries

    def settle(self) -> None:
        """Write again what could not be written before: there may be workdir now."""
        with self._lock:
            self._put(b"")

    def acknowledge(self, end: int) -> None:
        """Everything up to this offset is the gateway's; a loss of this note only costs resends."""
        with self._lock:
            self._acknowledged = end
            self._note_acknowledged()

    def _put(self, line: bytes) -> None:
        try:
            self._write(line)
        except OSError as exc:
            print(f"the spool could not be written: {exc}", file=sys.stderr, flush=True)

    def _write(self, line: bytes) -> None:
        if self._descriptor is not None and self._is_intact(self._descriptor, len(line)):
            _write_all(self._descriptor, line)
            self._changed_at = os.fstat(self._descriptor).st_ctime_ns
        else:
            self._write_anew()
        if self._acknowledged != self._read_acknowledged():
            self._note_acknowledged()

    def _is_intact(self, descriptor: int, new: int) -> bool:
        """Whether a reader finds our file, and in it all but the last so many bytes."""
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

    def _write_anew(self) -> None:
        open_way(self._path.parent)
        _write_whole(self._path, b"".join(self._lines))
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._changed_at = os.fstat(self._descriptor).st_ctime_ns

    def _note_acknowledged(self) -> None:
        with suppress(OSError):
            _write_whole(self._acknowledged_path, str(self._acknowledged).encode())

    def _read_acknowledged(self) -> int:
        try:
            return int(_read(self._acknowledged_path))
        except (OSError, ValueError):
            return 0


def _whole_lines(path: Path) -> list[bytes]:
    """The lines that were written to their end; a kill may have torn the last one."""
    try:
        lines = _read(path).splitlines(keepends=True)
    except OSError:
        return []
    return [line for line in lines if line.endswith(b"\n")]


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
    """A regular file of ours, whatever its mode; anything else could hang us or lead elsewhere."""
    with suppress(OSError):
        if stat.S_ISREG(path.lstat().st_mode):
            path.chmod(0o600)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read()


def _write_whole(path: Path, content: bytes) -> None:
    """Replace a file so that a reader sees the old or the new, never a part; a directory that
    stands there goes out of the way."""
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
    """On the disk, or an error: a full one takes a part."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)
