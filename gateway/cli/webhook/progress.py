"""How far a feed has been forwarded, in a file: what was taken is never sent again."""

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
    """A body under way: it stays as it is over all its attempts, and over a restart."""

    seq: int
    id: str
    type: str
    task_id: str | None
    body: str


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds."""

    after: int
    """Everything up to this number of the feed was taken, or was not asked for."""
    last: tuple[int, str] | None = None
    """Number and id of the last event that was taken: another gateway has another."""
    letter: WebhookMessage | None = None


class Progress:
    """The file of one address and one gateway; it holds prompts, so it is its owner's alone."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.reached = self._read()

    @classmethod
    @contextmanager
    def held(cls, folder: Path, gateway: str, address: str) -> Iterator[Self]:
        """The progress, while nobody else forwards the same.

        Raises:
            CommandFailed: somebody does, or the file cannot be read.
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
                "Stop that one: two would deliver everything twice.",
            ) from exc
        finally:
            os.close(lock)

    def begin(self, after: int) -> None:
        """Starts behind a number."""
        self._keep(Reached(after=after))

    def send(self, letter: WebhookMessage) -> None:
        """It is under way from now on."""
        self._keep(msgspec.structs.replace(self._known, letter=letter))

    def taken(self, letter: WebhookMessage) -> None:
        """The receiver has it."""
        self._keep(Reached(after=letter.seq, last=(letter.seq, letter.id)))

    def pass_to(self, after: int) -> None:
        """There was nothing to send up to this number."""
        if after != self._known.after:
            self._keep(msgspec.structs.replace(self._known, after=after))

    @property
    def _known(self) -> Reached:
        return self.reached or Reached(after=0)

    def _keep(self, reached: Reached) -> None:
        draft = self._file.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as out:
            out.write(msgspec.json.encode(reached))
            out.flush()
            os.fsync(out.fileno())
        draft.rename(self._file)
        self.reached = reached

    def _read(self) -> Reached | None:
        if not self._file.exists():
            return None
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Reached)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise CommandFailed(
                f"{self._file} does not say how far it came.",
                "Remove that file, and say by --after where to go on: `slipgate tasks events` "
                "shows the numbers with --json.",
            ) from exc
