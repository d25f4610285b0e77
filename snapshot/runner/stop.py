"""The stop signal of an attempt; every wait of the runner checks it."""

import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Final, TypeVar

TICK_SECONDS: Final = 0.1
T = TypeVar("T")


class Reason(Enum):
    CANCELLED = "cancelled"
    FENCED = "fenced"
    """The gateway answered 409 or 410, or refused an ask: the attempt is over."""
    TIME_OVER = "time_over"
    TERMINATED = "terminated"
    """The sandbox is being stopped; a later start of the same attempt goes on."""


class Stopped(Exception):
    """Raised out of any step after the stop was requested."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Stop:
    """Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._raised: Stopped | None = None
        self._event = threading.Event()

    def request(self, reason: Reason, detail: str) -> None:
        """Request the stop; the first reason stays, but fencing outranks all."""
        with self._lock:
            if self._raised is None or reason is Reason.FENCED:
                self._raised = Stopped(reason, detail)
        self._event.set()

    def request_after(self, seconds: float, detail: str) -> threading.Timer:
        """Request the stop when the time is over, whatever the attempt waits for then."""
        timer = threading.Timer(seconds, self.request, (Reason.TIME_OVER, detail))
        timer.daemon = True
        timer.start()
        return timer

    @property
    def reason(self) -> Reason | None:
        return self._raised.reason if self._raised else None

    def check(self) -> None:
        """Raise `Stopped` if the stop was requested."""
        if self._raised is not None:
            raise Stopped(self._raised.reason, self._raised.detail)

    def sleep(self, seconds: float) -> None:
        """Wait; raise `Stopped` at once when the stop is requested."""
        self._event.wait(seconds)
        self.check()

    def until(self, is_done: Callable[[float], bool], *, seconds: float | None = None) -> bool:
        """Wait for `is_done(tick)`, which itself may block for one tick.

        False after so many seconds; raises `Stopped` within a tick of the request.
        """
        ends_at = None if seconds is None else time.monotonic() + seconds
        while not is_done(TICK_SECONDS):
            self.check()
            if ends_at is not None and time.monotonic() >= ends_at:
                return False
        self.check()
        return True

    def call(self, call: Callable[[], T], *, seconds: float) -> T:
        """Wait for a call that cannot be interrupted; one that is given up ends with the process.

        Raises `Stopped` when the stop is requested, and TimeoutError after so many seconds.
        """
        outcome: list[T] = []
        errors: list[BaseException] = []
        is_over = threading.Event()

        def run() -> None:
            try:
                outcome.append(call())
            except BaseException as exc:  # noqa: BLE001 - carried to the waiting thread whole
                errors.append(exc)
            finally:
                is_over.set()

        threading.Thread(target=run, daemon=True, name="call").start()
        if not self.until(is_over.wait, seconds=seconds):
            raise TimeoutError
        if errors:
            raise errors[0]
        return outcome[0]
