"""What was said, on disk before it is sent: the launcher drains it when we cannot send.

`spool.jsonl` is append-only, one signed message a line; `spool.acknowledged` holds the byte offset
up to which the gateway has everything. Commands of the agent run under our user and can write
here: lines that our key did not sign are never believed nor sent, and a spool that is removed or
altered is written again.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

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
        _write_whole(self._path, b"".join(self._lines))
        self._descriptor = _open_to_append(self._path)
        self.entries = [entry for entry in _entries(self._lines) if is_ours(entry.message)]

    @property
    def pending(self) -> list[Entry]:
        """What an earlier start said and nobody acknowledged."""
        acknowledged = self._read_acknowledged()
        return [entry for entry in self.entries if entry.end > acknowledged]

    @property
    def began_at(self) -> float:
        """When the attempt said its first word (Unix seconds); now if it has said none."""
        return float(self.entries[0].message.timestamp) if self.entries else time.time()

    def append(self, message: Message) -> Entry:
        """Write one message and do not return before it is on the disk.

        A full disk must not silence us: the message is then only sent, and written with the next.
        """
        line = msgspec.json.encode(message) + b"\n"
        with self._lock:
            self._lines.append(line)
            self._end += len(line)
            try:
                self._write(line)
            except OSError as exc:
                print(f"the spool could not be written: {exc}", file=sys.stderr, flush=True)
            return Entry(message=message, end=self._end)

    def acknowledge(self, end: int) -> None:
        """Everything up to this offset is the gateway's; a loss of this note only costs resends."""
        try:
            _write_whole(self._acknowledged_path, str(end).encode())
        except OSError:
            return

    def _write(self, line: bytes) -> None:
        if self._is_intact(self._end - len(line)):
            os.write(self._descriptor, line)
            os.fsync(self._descriptor)
        else:
            self._write_anew()

    def _is_intact(self, size: int) -> bool:
        try:
            found = self._path.lstat()
        except OSError:
            return False
        ours = os.fstat(self._descriptor)
        return (found.st_ino, found.st_size) == (ours.st_ino, size)

    def _write_anew(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_whole(self._path, b"".join(self._lines))
        os.close(self._descriptor)
        self._descriptor = _open_to_append(self._path)

    def _read_acknowledged(self) -> int:
        try:
            return int(self._acknowledged_path.read_bytes())
        except (OSError, ValueError):
            return 0


def _whole_lines(path: Path) -> list[bytes]:
    """The lines that were written to their end; a kill may have torn the last one."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
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


def _open_to_append(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)


def _write_whole(path: Path, content: bytes) -> None:
    """Replace a file so that a reader sees the old or the new, never a part."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.replace(path)
