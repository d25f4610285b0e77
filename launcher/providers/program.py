"""Running a command-line program of somebody else: bounded in time and output, and ended whole."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OUTPUT_BYTES: Final = 16 * 1024 * 1024
ERROR_BYTES: Final = 64 * 1024
"""What is printed beyond is read and thrown away: a full pipe would stop the program."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
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

    async def run(self, *arguments: str, seconds: float) -> Ran:
        """One run in our folder, without a shell and without standard input.

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
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise NotStarted(f"{Path(self._path).name} cannot be run: {reason}") from error
        try:
            return await _watched(process, seconds)
        finally:
            await _end(process)


async def _watched(process: asyncio.subprocess.Process, seconds: float) -> Ran:
    out = asyncio.ensure_future(_read(process.stdout, OUTPUT_BYTES))
    err = asyncio.ensure_future(_read(process.stderr, ERROR_BYTES))
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
        _, pending = await asyncio.wait((out, err), timeout=2)
        for reading in pending:
            reading.cancel()
        await asyncio.gather(out, err, return_exceptions=True)
    return Ran(code=code, out=_text(out), err=_text(err))


async def _read(stream: asyncio.StreamReader | None, limit: int) -> bytes:
    kept = bytearray()
    while stream is not None and (piece := await stream.read(65_536)):
        kept += piece[: limit - len(kept)]
    return bytes(kept)


def _text(reading: asyncio.Future[bytes]) -> str:
    if reading.cancelled():
        return ""
    return reading.result().decode(errors="replace")


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Nothing of its group is left, whatever happened; the dead are reaped."""
    _kill(process)
    await process.wait()
