"""The log lines of all our programs: JSON, or text for a terminal."""

import asyncio
import io
import logging
import os
import select
import stat
import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import Final, TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict

from gateway.wire.times import rfc3339

WAIT_MS: Final = 10
"""The wait for a slow reader; after one timeout, none until it reads again."""
ATOMIC: Final = 4_096
"""Bytes that a pipe that is not full takes at once (PIPE_BUF of Linux)."""


class LogFile(io.TextIOBase):
    """A stream of log lines into a file descriptor. A line that cannot be written (disk full,
    reader gone or hung) is dropped and counted: logging must not stop the program."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.dropped = 0
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._wait_ms = WAIT_MS
        self._is_torn = False
        """True if only the beginning of the last line was written."""
        # Writing to a file does not block; a pipe, a socket or a terminal may.
        self._can_block = not stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def write(self, text: str) -> int:
        """Writes one line: all of it or, if possible, nothing."""
        self._lines.append(text.encode(errors="backslashreplace"))
        self.flush()
        return len(text)

    def write_soon(self, line: bytes) -> None:
        """Writes the line behind this turn of the event loop, together with its others: alone it
        would take two calls of the kernel, 8 µs of each request."""
        self._lines.append(line)
        if len(self._lines) > 1:
            return
        try:
            asyncio.get_running_loop().call_soon(self.flush)
        except RuntimeError:  # none runs in this thread
            self.flush()

    def flush(self) -> None:
        while self._lines:
            lines = self._next_lines()
            try:
                self._write(b"".join(lines))
            except OSError:
                self.dropped += len(lines)

    def _next_lines(self) -> list[bytes]:
        """As many as a pipe takes whole, and at least one."""
        lines = [self._lines.popleft()]
        left = ATOMIC - len(lines[0])
        while self._lines and len(self._lines[0]) <= left:
            lines.append(self._lines.popleft())
            left -= len(lines[-1])
        return lines

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def _write(self, line: bytes) -> None:
        left = memoryview(b"\n" + line if self._is_torn else line)
        self._is_torn = False
        while left:
            if self._can_block and not self._is_writable():
                raise BlockingIOError
            done = os.write(self._descriptor, left[:ATOMIC] if self._can_block else left)
            left = left[done:]
            self._is_torn = bool(left)

    def _is_writable(self) -> bool:
        is_writable = bool(self._poll.poll(self._wait_ms))
        self._wait_ms = WAIT_MS if is_writable else 0
        return is_writable


def open_logs(form: str) -> LogFile:
    """Sends log lines to stderr; `form`: `json`, `console`, empty: by terminal."""
    stream = LogFile(sys.stderr.fileno())
    # Python's own stream keeps unwritten text, and then ends with exit code 120.
    sys.stderr = cast("TextIO", stream)
    is_console = form == "console" or (not form and stream.isatty())
    structlog.configure(
        processors=_for_terminals(stream) if is_console else [_as_json],
        wrapper_class=_Filtering if is_console else _Lines,
        logger_factory=lambda *_: _Writer(stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Foreign()], level=logging.WARNING, force=True)
    return stream


_encode: Final = msgspec.json.Encoder(enc_hook=repr).encode


_Filtering: Final = structlog.make_filtering_bound_logger(logging.INFO)


class _Writer(structlog.WriteLogger):
    """Writes to a log file."""

    def __init__(self, file: LogFile) -> None:
        super().__init__(cast("TextIO", file))
        self.write_soon = file.write_soon


class _Lines(_Filtering):  # type: ignore[valid-type, misc]
    """One line of JSON per event."""

    def info(self, event: str, **fields: object) -> None:
        """Skips the processors: every request writes such a line."""
        if self._context:
            fields = {**self._context, **fields}
        self._logger.write_soon(_json_line("info", event, fields) + b"\n")


class _Foreign(logging.Handler):
    """Log records of libraries, in the form of our lines."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        log.log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def _for_terminals(stream: LogFile) -> list[structlog.typing.Processor]:
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(),
            # The default shows every variable of every frame: keys are among them.
            exception_formatter=structlog.dev.plain_traceback,
        ),
    ]


def _as_json(logger: structlog.typing.WrappedLogger, level: str, line: EventDict) -> str:
    if "exc_info" in line:
        line = structlog.processors.format_exc_info(logger, level, line)
    return _json_line(level, line.pop("event"), line).decode()


def _json_line(level: str, event: str, fields: Mapping[str, object]) -> bytes:
    moment = rfc3339(time.time_ns() // 1_000_000)
    return _encode({"timestamp": moment, "level": level, "event": event, **fields})
