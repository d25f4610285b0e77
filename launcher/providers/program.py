"""Running a command-line program of somebody else: bounded in time and output, and ended whole."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OUTPUT_BYTES: Final = 16 * 1024 * 1024
ERROR_BYTES: Final = 64 * 1024
"""What is printed beyond is read and thrown away: a full pipe would stop the program."""
LINE_BYTES: Final = 1024 * 1024
OutputHandler = Callable[[bytes], object]
"""Takes what is printed, piece by piece."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandResult:
    """How a run ended; `code` None: it was killed because its time was over."""

    code: int | None
    out: str
    err: str


class NotStarted(Exception):
    """The program is not there, or cannot be run."""


class Program:
    """An executable with an environment of its own: nothing of ours but what is named."""

    def __init__(self, path: str, *, environ: Mapping[str, str], folder: Path) -> None:
        self._path = path
        self.environ = dict(environ)
        self._folder = folder

    async def run(
        self,
        *arguments: str,
        seconds: float,
        told: bytes | None = None,
        take: OutputHandler | None = None,
        on_output: OutputHandler | None = None,
    ) -> CommandResult:
        """One run in our folder, without a shell. `told` is its standard input; what it prints goes
        to `take`, if there is one. `echo` gets all of it beside that, errors too, as it comes.

        Raises:
            NotStarted: it cannot be run.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                self._path,
                *arguments,
                cwd=self._folder,
                env=self.environ,
                stdin=asyncio.subprocess.DEVNULL if told is None else asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise NotStarted(f"{Path(self._path).name} cannot be run: {reason}") from error
        try:
            return await _watched(process, seconds, told or b"", take, on_output)
        finally:
            await _end(process)

    async def lines(self, *arguments: str) -> AsyncGenerator[bytes, None]:
        """One run, line by line as it prints them; whoever reads no further ends it. Longer ones
        than `LINE_BYTES` end it, too, and how it ended is not told.

        Raises:
            NotStarted: it cannot be run.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                self._path,
                *arguments,
                cwd=self._folder,
                env=self.environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                limit=LINE_BYTES,
            )
        except OSError as error:
            raise NotStarted(f"{Path(self._path).name} cannot be run: {error.strerror}") from error
        try:
            with contextlib.suppress(ValueError):  # a line past the limit
                while process.stdout is not None and (line := await process.stdout.readline()):
                    yield line
        finally:
            await _end(process)


async def _watched(
    process: asyncio.subprocess.Process,
    seconds: float,
    told: bytes,
    take: OutputHandler | None,
    on_output: OutputHandler | None,
) -> CommandResult:
    out, err = _Capture(OUTPUT_BYTES), _Capture(ERROR_BYTES)
    pipes = (
        asyncio.ensure_future(_read(process.stdout, take or out.take, on_output)),
        asyncio.ensure_future(_read(process.stderr, err.take, on_output)),
        asyncio.ensure_future(_write(process.stdin, told)),
    )
    code: int | None = None
    try:
        async with asyncio.timeout(seconds):
            code = await process.wait()
    except TimeoutError:
        _kill(process)
    finally:
        if code is None:
            _kill(process)
        # A grandchild that left the group may hold the pipes open for ever.
        _, pending = await asyncio.wait(pipes, timeout=2)
        for each in pending:
            each.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)
    return CommandResult(code=code, out=out.text(), err=err.text())


class _Capture:
    """The beginning of what is printed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = bytearray()

    def take(self, piece: bytes) -> None:
        self._bytes += piece[: self._limit - len(self._bytes)]

    def text(self) -> str:
        return self._bytes.decode(errors="replace")


async def _read(
    stream: asyncio.StreamReader | None, take: OutputHandler, on_output: OutputHandler | None
) -> None:
    while stream is not None and (piece := await stream.read(65_536)):
        take(piece)
        if on_output is not None:
            on_output(piece)


async def _write(stream: asyncio.StreamWriter | None, told: bytes) -> None:
    if stream is None:
        return
    with contextlib.suppress(ConnectionError):  # it need not listen to the end
        stream.write(told)
        await stream.drain()
    stream.close()


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Nothing of its group is left, whatever happened; the dead are reaped."""
    _kill(process)
    await process.wait()
