"""Says that the attempt lives, beside its other words, and hears of a cancel within seconds.

A heartbeat is not worth keeping, so it goes past the spool. Where it cannot be delivered (no
gateway address, or nobody there) one in 30 s is spooled, so that the launcher, which reads the
spool, sees an agent that lives.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from .channel import Channel
from .delivery import Unreachable
from .events import Event
from .events import Heartbeat as HeartbeatEvent
from .messages import MessageBuilder
from .spool import Message
from .standing import GatewayStatus

LONGEST_SECONDS: Final = 5.0
"""A cancel is heard in the answer, and everything must be over 10 s after it was asked for."""
SHORTEST_SECONDS: Final = 1.0
TICK_SECONDS: Final = 0.25
SPOOLED_EVERY_SECONDS: Final = 30.0


class Heartbeat:
    """A thread of its own; it must beat while the sender waits and while a command runs."""

    def __init__(
        self,
        *,
        channel: Channel | None,
        builder: MessageBuilder,
        status: GatewayStatus,
        spool: Callable[[Event], object],
    ) -> None:
        self._channel = channel
        self._builder = builder
        self._status = status
        self._spool = spool
        self._spooled_at = time.monotonic()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._beat_all, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def close(self) -> None:
        """Beat no more: the last word must be the last."""
        self._closed.set()

    @property
    def interval_seconds(self) -> float:
        """The smaller of 5 s and a quarter of the time to the gateway's next deadline."""
        left = self._status.seconds_to_deadline
        if left is None:
            return LONGEST_SECONDS
        return min(LONGEST_SECONDS, max(SHORTEST_SECONDS, left / 4))

    def _beat_all(self) -> None:
        beaten_at = time.monotonic()
        while not self._closed.wait(TICK_SECONDS):
            if time.monotonic() - beaten_at >= self.interval_seconds:
                beaten_at = time.monotonic()
                self.beat()

    def beat(self) -> None:
        """One heartbeat."""
        message = self._builder.message(HeartbeatEvent())
        if not self._is_delivered(message) and self._may_spool():
            self._spool(HeartbeatEvent())

    def _is_delivered(self, message: Message) -> bool:
        if self._channel is None:
            return False
        result = self._channel.deliver(message)
        self._status.note(result)
        return not isinstance(result, Unreachable)

    def _may_spool(self) -> bool:
        now = time.monotonic()
        if self._closed.is_set() or now - self._spooled_at < SPOOLED_EVERY_SECONDS:
            return False
        self._spooled_at = now
        return True
