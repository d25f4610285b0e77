"""The one signal to stop, and why; every wait of the runner looks at it."""

import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Final

TICK_SECONDS: Final = 0.1


class Reason(Enum):
    """ExclusionReason the attempt may not go on."""

    CANCELLED = "cancelled"
    FENCED = "fenced"
    """The gateway said 409 or 410, or refused an ask: this attempt is over, act no more."""
    TIME_OVER = "time_over"
    """The hard clock of the attempt is about to strike."""
    TERMINATED = "terminated"
    """The sandbox is being stopped; a later start of the same attempt goes on."""


class Stopped(Exception):
    """Raised out of any step once the signal is up."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Stop:
    """Set once, by whoever learns it first; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._raised: Stopped | None = None
        self._event = threading.Event()

    def request(self, reason: Reason, detail: str) -> None:
        """Put the signal up; later reasons change nothing, but fencing outranks a cancel."""
        with self._lock:
            if self._raised is None or reason is Reason.FENCED:
                self._raised = Stopped(reason, detail)
        self._event.set()

    @property
    def reason(self) -> Reason | None:
        """ExclusionReason, or None while the signal is down."""
        return self._raised.reason if self._raised else None

    def check(self) -> None:
        """Raise `Stopped` if the signal is up."""
        if self._raised is not None:
            raise Stopped(self._raised.reason, self._raised.detail)

    def sleep(self, seconds: float) -> None:
        """Wait; raise `Stopped` as soon as the signal is up."""
        self._event.wait(seconds)
        self.check()

    def until(self, is_done: Callable[[float], bool], *, seconds: float | None = None) -> bool:
        """Wait for `is_done(tick)`, which itself may block for one tick.

        Returns False when the time is over; raises `Stopped` within a tick of the signal.
        """
        ends_at = None if seconds is None else time.monotonic() + seconds
        while not is_done(TICK_SECONDS):
            self.check()
            if ends_at is not None and time.monotonic() >= ends_at:
                return False
        self.check()
        return True
