"""Runs an external command-line program, bounded in time and output, and ends its whole group."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OUTPUT_BYTES: Final = 16 * 1024 * 1024
ERROR_BYTES: Final = 64 * 1024
"""Output beyond is read and discarded: a full pipe would block the program."""
LINE_BYTES: Final = 1024 * 1024
OutputHandler = Callable[[bytes], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandResult:
    """Result of a run; `code` None: it was killed because its time was over."""

    code: int | None
    out: str
    err: str


class NotStarted(Exception):
    """The program does not exist or cannot be run."""


class Program:
    """An executable with an environment of its own. All calls raise `NotStarted`."""

    def __init__(self, path: str, *, environ: Mapping[str, str], folder: Path) -> None:
        self._path = path
        self.environ = dict(environ)
        self._folder = folder

    async def run(
        self,
        *arguments: str,
        seconds: float,
        stdin: bytes | None = None,
        on_stdout: OutputHandler | None = None,
        on_output: OutputHandler | None = None,
    ) -> CommandResult:
        """`on_stdout` gets standard output instead of the result; `on_output` gets a copy of all
        output, errors too, as it comes."""
        process = await self._start(arguments, stdin=DEVNULL if stdin is None else PIPE)
        try:
            return await _communicate(process, seconds, stdin or b"", on_stdout, on_output)
        finally:
            await _end(process)

    async def lines(self, *arguments: str) -> AsyncGenerator[bytes, None]:
        """Lines of standard output as they come. The run ends with the generator, and with a line
        longer than `LINE_BYTES`; its exit code is ignored."""
        process = await self._start(arguments, stderr=DEVNULL)
        try:
            with contextlib.suppress(ValueError):  # a line past the limit
                while process.stdout is not None and (line := await process.stdout.readline()):
                    yield line
        finally:
            await _end(process)

    async def _start(
        self, arguments: tuple[str, ...], *, stdin: int = DEVNULL, stderr: int = PIPE
    ) -> Process:
        try:
            return await asyncio.create_subprocess_exec(
                self._path,
                *arguments,
                cwd=self._folder,
                env=self.environ,
                stdin=stdin,
                stdout=PIPE,
                stderr=stderr,
                start_new_session=True,
                limit=LINE_BYTES,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise NotStarted(f"{Path(self._path).name} cannot be run: {reason}") from error


async def _communicate(
    process: Process,
    seconds: float,
    stdin: bytes,
    on_stdout: OutputHandler | None,
    on_output: OutputHandler | None,
) -> CommandResult:
    out, err = _Capture(OUTPUT_BYTES), _Capture(ERROR_BYTES)
    pipes = asyncio.gather(
        _read(process.stdout, on_stdout or out.add, on_output),
        _read(process.stderr, err.add, on_output),
        _write(process.stdin, stdin),
        return_exceptions=True,
    )
    code: int | None = None
    try:
        with contextlib.suppress(TimeoutError):
            code = await asyncio.wait_for(process.wait(), seconds)
    finally:
        if code is None:
            _kill(process)
        # A grandchild that left the group may hold the pipes open for ever.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(pipes, timeout=2)
    return CommandResult(code=code, out=out.text(), err=err.text())


class _Capture:
    """The first `limit` bytes of an output."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = bytearray()

    def add(self, piece: bytes) -> None:
        self._bytes += piece[: self._limit - len(self._bytes)]

    def text(self) -> str:
        return self._bytes.decode(errors="replace")


async def _read(
    stream: asyncio.StreamReader | None, handle: OutputHandler, on_output: OutputHandler | None
) -> None:
    while stream is not None and (piece := await stream.read(65_536)):
        handle(piece)
        if on_output is not None:
            on_output(piece)


async def _write(stream: asyncio.StreamWriter | None, stdin: bytes) -> None:
    if stream is None:
        return
    with contextlib.suppress(ConnectionError):  # the program need not read all of it
        stream.write(stdin)
        await stream.drain()
    stream.close()


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _end(process: Process) -> None:
    _kill(process)
    await process.wait()
