"""Log lines in the one form of all our programs: as JSON, or for a terminal."""

import logging
import sys
import time
from collections.abc import Mapping
from typing import Final, TextIO

import msgspec
import structlog
from structlog.typing import EventDict

from gateway.wire.times import rfc3339


def open_logs(form: str, stream: TextIO | None = None) -> None:
    """Sends log lines to `stream` (stderr); `form`: `json`, `console`, empty: by terminal."""
    stream = stream or sys.stderr
    is_console = form == "console" or (not form and stream.isatty())
    structlog.configure(
        processors=_for_terminals(stream) if is_console else [_as_json],
        wrapper_class=_Filtering if is_console else _Lines,
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Foreign()], level=logging.WARNING, force=True)


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


def _for_terminals(stream: TextIO) -> list[structlog.typing.Processor]:
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
