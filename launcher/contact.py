"""Whether the gateway answers: a line when it stops to, and one when it does again."""

from collections.abc import Callable

from structlog.typing import FilteringBoundLogger


class ConnectionLog:
    """What all calls of a launcher together know of the gateway; `clock` in seconds."""

    def __init__(self, log: FilteringBoundLogger, clock: Callable[[], float]) -> None:
        self._log = log
        self._clock = clock
        self._lost_at: float | None = None

    def failed(self, call: str, reason: str) -> None:
        """A call was not answered, or put off."""
        if self._lost_at is None:
            self._lost_at = self._clock()
            self._log.warning("gateway.lost", call=call, reason=reason)

    def answered(self) -> None:
        """A call was answered."""
        if self._lost_at is not None:
            seconds = round(self._clock() - self._lost_at, 3)
            self._lost_at = None
            self._log.info("gateway.back", seconds=seconds)
