"""Logs of a launcher: discarded, or kept for a test."""

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

LOG: FilteringBoundLogger = structlog.wrap_logger(
    structlog.testing.CapturingLogger(), processors=[]
)


class Lines:
    """A log whose lines a test reads."""

    def __init__(self) -> None:
        capture = structlog.testing.LogCapture()
        self._entries = capture.entries
        self.log: FilteringBoundLogger = structlog.wrap_logger(
            None, processors=[structlog.processors.format_exc_info, capture]
        )

    def of(self, event: str) -> list[EventDict]:
        return [dict(line) for line in self._entries if line["event"] == event]
