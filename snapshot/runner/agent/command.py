"""Runs one untrusted command: its time and output are limited, and none of its processes stays."""

import hashlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Final

import msgspec

from .. import files
from ..stop import TICK_SECONDS, Stop
from . import reaper, syscall_filter
from .landlock import Confinement

GRACE_SECONDS: Final = 10.0
"""Between SIGTERM and SIGKILL when a command's time is over."""
CANCEL_GRACE_SECONDS: Final = 3.0
"""The same when the attempt itself is stopped, which must be over within 10 s."""
OWN_DIRECTORIES: Final = ("HOME", "TMPDIR")
"""Variables of the directories that a command may change beside the one it runs in."""
HEAD_BYTES: Final = 48 * 1024
TAIL_BYTES: Final = 48 * 1024
_REAPER: Final = (
    f"import sys; sys.path.append({str(Path(reaper.__file__).parent)!r}); "
    "import reaper; reaper.main()"
)
"""A module has been compiled before; a script is compiled at each start."""
_PIECE_BYTES: Final = 64 * 1024
_PIECES_OF_REST: Final = 64


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    exit_code: int
    seconds: float
    output: str
    """Standard output and error together; its two ends if it was long."""
    output_digest: str
    is_timed_out: bool


class Runner:
    """Runs commands one after another; without a confinement they are not confined."""

    def __init__(
        self,
        stop: Stop,
        confinement: Confinement | None = None,
        *,
        afterwards: Callable[[], None] = lambda: None,
    ) -> None:
        self._stop = stop
        self._confinement = confinement
        self._afterwards = afterwards

    def run(
        self,
        argv: Sequence[str],
        *,
        directory: Path,
        environ: Mapping[str, str],
        seconds: float,
        stdin: bytes = b"",
        on_output: Callable[[bytes], None] = lambda _: None,
    ) -> CommandResult:
        """Run it to its end, its time limit, or the stop signal.

        A confined command may change its directory, its home and its temporary folder.

        Raises:
            Stopped: the attempt was stopped; the command is dead.
            OSError: the directory is gone.
        """
        self._stop.check()
        with self._rules(directory, environ) as rulesets:
            process = _start(argv, directory, environ, stdin, rulesets)
        try:
            result = self._watch(process, seconds, on_output)
        finally:
            _end(process)
            # A command can kill its reaper: then its descendants are ours.
            reaper.kill_all()
            self._afterwards()
        self._stop.check()
        return result

    def _rules(
        self, directory: Path, environ: Mapping[str, str]
    ) -> AbstractContextManager[tuple[int, ...]]:
        if self._confinement is None:
            return nullcontext(())
        named = (Path(environ[name]) for name in OWN_DIRECTORIES if name in environ)
        return self._confinement.rules([directory, *named])

    def _watch(
        self, process: subprocess.Popen[bytes], limit: float, on_output: Callable[[bytes], None]
    ) -> CommandResult:
        output = BoundedOutput()
        is_timed_out = False
        started_at = time.monotonic()
        for piece in _pieces(process):
            if piece:
                output.add(piece)
                on_output(piece)
            seconds = time.monotonic() - started_at
            is_reaper_stuck = seconds >= limit + GRACE_SECONDS + CANCEL_GRACE_SECONDS
            if self._stop.reason is not None or is_reaper_stuck:
                break
            if seconds >= limit and not is_timed_out:
                is_timed_out = True
                process.send_signal(signal.SIGTERM)
        _end(process)
        code = process.returncode
        return CommandResult(
            exit_code=code if code >= 0 else 128 - code,
            seconds=round(time.monotonic() - started_at, 3),
            output=output.text,
            output_digest=output.digest,
            is_timed_out=is_timed_out,
        )


class BoundedOutput:
    """All output is counted and hashed; only its two ends are kept."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._digest = hashlib.sha256()
        self._total_bytes = 0

    def add(self, piece: bytes) -> None:
        self._total_bytes += len(piece)
        self._digest.update(piece)
        free = HEAD_BYTES - len(self._head)
        self._head += piece[:free]
        self._tail += piece[free:]
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    @property
    def text(self) -> str:
        tail = self._tail[-TAIL_BYTES:]
        omitted = self._total_bytes - len(self._head) - len(tail)
        note = f"\n[... {omitted} bytes left out ...]\n" if omitted else ""
        return self._head.decode(errors="replace") + note + tail.decode(errors="replace")


def _start(
    argv: Sequence[str],
    directory: Path,
    environ: Mapping[str, str],
    stdin: bytes,
    rulesets: tuple[int, ...],
) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-I", "-S", "-c", _REAPER, str(os.getpid()), str(GRACE_SECONDS)]
    rules = ["-", "-"]
    if rulesets:
        rules = [",".join(map(str, rulesets)), syscall_filter.program().hex()]
    with files.source(stdin) as source:
        return subprocess.Popen(
            [*program, *rules, "--", *argv],
            cwd=directory,
            env=dict(environ),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            pass_fds=rulesets,
        )


def _pieces(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Output as it comes, and an empty piece for each tick without, until the reaper has ended."""
    assert process.stdout is not None, "started with a pipe"  # noqa: S101
    with selectors.DefaultSelector() as selector, process.stdout as source:
        selector.register(source, selectors.EVENT_READ)
        is_open = True
        while process.poll() is None:
            if not is_open:
                _wait(process, TICK_SECONDS)
                yield b""
            elif selector.select(TICK_SECONDS):
                piece = os.read(source.fileno(), _PIECE_BYTES)
                is_open = bool(piece)
                yield piece
            else:
                yield b""
        # A process that escaped its reaper may hold the pipe open and write on.
        for _ in range(_PIECES_OF_REST if is_open else 0):
            if not selector.select(0) or not (piece := os.read(source.fileno(), _PIECE_BYTES)):
                return
            yield piece


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make sure that the reaper, and with it the command, is dead."""
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        _wait(process, CANCEL_GRACE_SECONDS)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
