"""The progress of forwarding a feed, kept in a file: an event that was taken is not sent again."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec

from gateway.cli.console.output import CommandFailed


class WebhookMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message being sent: the same bytes in all its attempts, across restarts."""

    seq: int
    id: str
    type: str
    task_id: str | None
    body: str


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the file."""

    after: int
    """Every event up to this number was taken, or was not asked for."""
    last: tuple[int, str] | None = None
    """Number and id of the last event that was taken; another gateway has another."""
    message: WebhookMessage | None = msgspec.field(default=None, name="letter")


class Progress:
    """The file of one address and one gateway. It holds prompts: only its owner may read it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.position = self._read()

    @classmethod
    @contextmanager
    def held(cls, folder: Path, gateway: str, address: str) -> Iterator[Self]:
        """The progress, locked against other processes that forward the same.

        Raises:
            CommandFailed: another process holds it, or the file cannot be read.
        """
        name = hashlib.sha256(f"{gateway} {address}".encode()).hexdigest()[:16]
        file = folder / f"forwarded-{name}"
        lock = os.open(file.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield cls(file)
        except BlockingIOError as exc:
            raise CommandFailed(
                f"Another `slipgate webhook listen` forwards to {address} already.",
                "Stop that one, for two would deliver everything twice; or name another address by "
                "--forward-to.",
            ) from exc
        finally:
            os.close(lock)

    def begin(self, after: int) -> None:
        """Starts after an event number."""
        self._save(Position(after=after))

    def send(self, message: WebhookMessage) -> None:
        """Records a message before its first attempt."""
        self._save(msgspec.structs.replace(self._known, message=message))

    def taken(self, message: WebhookMessage) -> None:
        """Records that the receiver has taken a message."""
        self._save(Position(after=message.seq, last=(message.seq, message.id)))

    def advance(self, after: int) -> None:
        """Records that there is nothing to send up to an event number."""
        if after != self._known.after:
            self._save(msgspec.structs.replace(self._known, after=after))

    @property
    def _known(self) -> Position:
        return self.position or Position(after=0)

    def _save(self, position: Position) -> None:
        draft = self._file.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(position))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._file)
        self.position = position

    def _read(self) -> Position | None:
        if not self._file.exists():
            return None
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Position)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise CommandFailed(
                f"The progress in {self._file} cannot be read.",
                "Remove that file, and choose with --after where to go on: `slipgate tasks events` "
                "shows the numbers with --json.",
            ) from exc
