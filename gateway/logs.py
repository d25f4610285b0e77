"""Logs: one canonical line per unit of work, as JSON or for a terminal."""

import logging
import sys
from typing import TextIO

import msgspec
import structlog


def open_logs(form: str, stream: TextIO | None = None) -> None:
    """Sends log lines to `stream` (stderr); `form`: `json`, `console`, empty: by terminal."""
    stream = stream or sys.stderr
    is_console = form == "console" or (not form and stream.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_rendering(is_console, stream),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )


def _rendering(is_console: bool, stream: TextIO) -> list[structlog.typing.Processor]:
    if is_console:
        return [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_json),
    ]


def _json(line: object, **_: object) -> str:
    return msgspec.json.encode(line, enc_hook=repr).decode()
