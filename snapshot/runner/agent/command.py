"""Runs one untrusted command: bounded in time and output, and nothing of it stays behind."""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..stop import TICK_SECONDS, Stop
from . import reaper, syscall_filter
from .bounded_output import BoundedOutput
from .hardening import sweep
from .landlock import Confinement

GRACE_SECONDS: Final = 10.0
"""Between SIGTERM and SIGKILL when a command's time is over."""
CANCEL_GRACE_SECONDS: Final = 3.0
"""The same when the attempt itself is stopped, which must be over within 10 s."""
NOT_FOUND: Final = reaper.NOT_FOUND
OWN_DIRECTORIES: Final = ("HOME", "TMPDIR")
"""Variables that name what a command may change beside the directory it runs in."""
_PIECE_BYTES: Final = 64 * 1024
_PIECES_OF_REST: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandResult:
    """How a command ended."""

    exit_code: int
    seconds: float
    output: str
    """Standard output and error together; its two ends if it was long."""
    output_digest: str
    is_timed_out: bool


class Runner:
    """Runs commands one after another."""

    def __init__(
        self,
        stop: Stop,
        confinement: Confinement | None = None,
        *,
        afterwards: Callable[[], None] = lambda: None,
    ) -> None:
        """None: the commands are not confined. `afterwards` is called when one is over."""
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
        """Run it to its end, to its time limit, or to the stop signal. A confined one may change
        its directory, its home and its temporary folder.

        Raises:
            Stopped: the attempt was stopped; the command is dead.
            OSError: the directory is gone.
        """
        self._stop.check()
        with self._rules(directory, environ) as rulesets:
            process = _start(argv, directory, environ, stdin, rulesets)
        try:
            finished = self._watch(process, seconds, on_output)
        finally:
            _end(process)
            sweep()
            self._afterwards()
        self._stop.check()
        return finished

    def _rules(
        self, directory: Path, environ: Mapping[str, str]
    ) -> AbstractContextManager[tuple[int, ...]]:
        if self._confinement is None:
            return nullcontext(())
        named = (Path(environ[name]) for name in OWN_DIRECTORIES if name in environ)
        return self._confinement.rules([directory, *named])

    def _watch(
        self,
        process: subprocess.Popen[bytes],
        seconds: float,
        on_output: Callable[[bytes], None],
    ) -> CommandResult:
        clock = _Clock(seconds)
        output = BoundedOutput()
        for piece in _pieces(process):
            if piece:
                output.add(piece)
                on_output(piece)
            if self._stop.reason is not None or clock.is_hopeless:
                break
            if clock.rings():
                process.send_signal(signal.SIGTERM)
        _end(process)
        return CommandResult(
            exit_code=_exit_code(process.returncode),
            seconds=round(clock.seconds, 3),
            output=output.text,
            output_digest=output.digest,
            is_timed_out=clock.has_rung,
        )


class _Clock:
    """The time limit of one command; rings once."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._started_at = time.monotonic()
        self.has_rung = False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started_at

    @property
    def is_hopeless(self) -> bool:
        """The reaper had its grace and did not end."""
        return self.seconds >= self._limit + GRACE_SECONDS + CANCEL_GRACE_SECONDS

    def rings(self) -> bool:
        if self.has_rung or self.seconds < self._limit:
            return False
        self.has_rung = True
        return True


def _start(
    argv: Sequence[str],
    directory: Path,
    environ: Mapping[str, str],
    stdin: bytes,
    rulesets: tuple[int, ...],
) -> subprocess.Popen[bytes]:
    keep = [sys.executable, "-I", "-S", reaper.__file__, str(os.getpid()), str(GRACE_SECONDS)]
    fence = [",".join(map(str, rulesets)), syscall_filter.program().hex()] if rulesets else "--"
    with tempfile.TemporaryFile() as source:
        source.write(stdin)
        source.seek(0)
        return subprocess.Popen(
            [*keep, *fence, "--", *argv],
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
        yield from _rest(selector, source.fileno()) if is_open else ()


def _rest(selector: selectors.BaseSelector, descriptor: int) -> Iterator[bytes]:
    """What lies in the pipe; a process that escaped its reaper may hold it open and go on."""
    for _ in range(_PIECES_OF_REST):
        if not selector.select(0) or not (piece := os.read(descriptor, _PIECE_BYTES)):
            return
        yield piece


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make sure that the reaper, and with it the command's family, is dead."""
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        _wait(process, CANCEL_GRACE_SECONDS)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def _exit_code(returncode: int) -> int:
    """As a shell counts: 128 + signal."""
    return returncode if returncode >= 0 else 128 - returncode
