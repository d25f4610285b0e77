"""Log lines in the one form of all our programs: as JSON, or for a terminal."""

import io
import logging
import os
import select
import stat
import sys
import time
from collections.abc import Mapping
from typing import Final, TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict

from gateway.wire.times import rfc3339

PATIENCE_MS: Final = 10
"""For a reader that is slow; one that has hung is not waited for again until it reads on."""
ATOMIC: Final = 4_096
"""Bytes that a pipe which has room takes at once (PIPE_BUF of Linux)."""


class LogFile(io.TextIOBase):
    """Log lines on their way to a file descriptor. A line that cannot be written (disk full, reader
    gone, reader hung) is dropped and counted: no log is worth the program that writes it."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.dropped = 0
        """Lines, since the start."""
        self._descriptor = descriptor
        self._patience = PATIENCE_MS
        self._is_torn = False
        """Whether only the beginning of the last line was written."""
        # A file takes whatever it has room for; only what somebody reads can keep us waiting.
        self._can_block = not stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def write(self, text: str) -> int:
        """One line, or none of it where that can be helped."""
        try:
            self._write(text.encode(errors="backslashreplace"))
        except OSError:
            self.dropped += 1
        return len(text)

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return os.isatty(self._descriptor)

    def _write(self, line: bytes) -> None:
        left = memoryview(b"\n" + line if self._is_torn else line)
        self._is_torn = False
        while left:
            if self._can_block and not self._has_room():
                raise BlockingIOError
            done = os.write(self._descriptor, left[:ATOMIC] if self._can_block else left)
            left = left[done:]
            self._is_torn = bool(left)

    def _has_room(self) -> bool:
        has_room = bool(self._poll.poll(self._patience))
        self._patience = PATIENCE_MS if has_room else 0
        return has_room


def open_logs(form: str) -> LogFile:
    """Sends log lines to stderr; `form`: `json`, `console`, empty: by terminal."""
    stream = LogFile(sys.stderr.fileno())
    # Python's own keeps what it could not write, and ends with code 120 because of it.
    sys.stderr = cast("TextIO", stream)
    is_console = form == "console" or (not form and stream.isatty())
    structlog.configure(
        processors=_for_terminals(stream) if is_console else [_as_json],
        wrapper_class=_Filtering if is_console else _Lines,
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", stream)),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Foreign()], level=logging.WARNING, force=True)
    return stream


_encode: Final = msgspec.json.Encoder(enc_hook=repr).encode


_Filtering: Final = structlog.make_filtering_bound_logger(logging.INFO)


class _Lines(_Filtering):  # type: ignore[valid-type, misc]
    """One line of JSON per event."""

    def info(self, event: str, **fields: object) -> None:
        """The line that every request costs, without the detour through the processors."""
        if self._context:
            fields = {**self._context, **fields}
        self._logger.msg(_json_line("info", event, fields))


class _Foreign(logging.Handler):
    """What libraries say, in the one form of all lines."""

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
    return _json_line(level, line.pop("event"), line)


def _json_line(level: str, event: str, fields: Mapping[str, object]) -> str:
    moment = rfc3339(time.time_ns() // 1_000_000)
    line = {"timestamp": moment, "level": level, "event": event, **fields}
    return _encode(line).decode()
