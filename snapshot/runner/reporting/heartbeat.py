"""Reports in a thread of its own that the attempt lives; a cancel comes in the answer.

Heartbeats go past the spool. While none can be delivered, one in 30 s is spooled: the launcher
reads the spool, and sees by it that the agent lives.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from .channel import Channel
from .delivery import GatewayStatus, Unreachable
from .events import Event
from .events import Heartbeat as HeartbeatEvent
from .messages import MessageBuilder

LONGEST_SECONDS: Final = 5.0
"""An attempt must be over 10 s after its cancel."""
SHORTEST_SECONDS: Final = 1.0
TICK_SECONDS: Final = 0.25
SPOOLED_EVERY_SECONDS: Final = 30.0


class Heartbeat:
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
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the heartbeats, so that the final event is the last one."""
        self._closed.set()

    def _run(self) -> None:
        beaten_at = time.monotonic()
        while not self._closed.wait(TICK_SECONDS):
            if time.monotonic() - beaten_at >= self._interval_seconds():
                beaten_at = time.monotonic()
                self._beat()

    def _interval_seconds(self) -> float:
        """The smaller of 5 s and a quarter of the time to the gateway's next deadline."""
        left = self._status.seconds_to_deadline
        if left is None:
            return LONGEST_SECONDS
        return min(LONGEST_SECONDS, max(SHORTEST_SECONDS, left / 4))

    def _beat(self) -> None:
        if self._channel is not None:
            result = self._channel.deliver(self._builder.message(HeartbeatEvent()))
            self._status.note(result)
            if not isinstance(result, Unreachable):
                return
        now = time.monotonic()
        if not self._closed.is_set() and now - self._spooled_at >= SPOOLED_EVERY_SECONDS:
            self._spooled_at = now
            self._spool(HeartbeatEvent())
