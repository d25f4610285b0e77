"""Reports the attempt's events: into the spool first, then, in order, to the gateway."""

import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

from ..stop import Reason, Stop, Stopped
from .channel import Channel
from .delivery import Busy, Delivered, DeliveryResult, Fenced, GatewayStatus, Rejected, Unreachable
from .events import Event, FinalEvent, PatchChunk
from .messages import MessageBuilder
from .spool import Entry, Spool

FIRST_BACKOFF_SECONDS: Final = 0.2
LONGEST_BACKOFF_SECONDS: Final = 5.0
LONGEST_RETRY_AFTER_SECONDS: Final = 120.0
"""A longer `Retry-After` is cut: a cancel must still reach us."""
TYPE_BYTES: Final = 100
"""The type is at the beginning of a body."""


class Reporter:
    """One sender thread keeps the order; a message is sent until it is taken or refused."""

    def __init__(
        self,
        *,
        spool: Spool,
        builder: MessageBuilder,
        channel: Channel | None,
        status: GatewayStatus,
        stop: Stop,
        ask_seconds: float,
    ) -> None:
        self._spool = spool
        self._builder = builder
        self._channel = channel
        self._status = status
        self._stop = stop
        self._ask_seconds = ask_seconds
        self._queue = deque(spool.pending)
        self._results: dict[str, DeliveryResult] = {}
        self._changed = threading.Condition()
        self._is_closed = False
        self._sender = threading.Thread(target=self._send_all, name="sender", daemon=True)

    def start(self) -> None:
        """Start to send, beginning with what an earlier start left in the spool."""
        if self._channel is not None:
            self._sender.start()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def emit(self, event: Event) -> str:
        """Spool an event, to be sent in its turn; returns the id of its message."""
        return self.emit_all([event])[0].message.id

    def emit_all(self, events: Sequence[Event]) -> list[Entry]:
        """Spool many events with one write to the disk."""
        with self._changed:
            entries = self._spool.append([self._builder.message(event) for event in events])
            self._queue += entries
            self._changed.notify_all()
            return entries

    def ask(self, event: Event) -> None:
        """Spool an event and wait until the gateway has applied it.

        Goes on without an answer if there is no gateway to ask, or none that can be reached.

        Raises `Stopped` (the gateway refused it, or the attempt was stopped meanwhile).
        """
        self._stop.check()
        identifier = self.emit(event)
        if self._channel is None:
            return
        self._stop.until(lambda tick: self._is_settled(identifier, tick))
        result = self._results.get(identifier)
        if isinstance(result, Rejected) or (isinstance(result, Delivered) and not result.applied):
            detail = result.detail if isinstance(result, Rejected) else "not applied"
            self._stop.request(Reason.FENCED, f"the gateway refused {event.type}: {detail}")
            self._stop.check()

    def finish(self, event: FinalEvent, *, seconds: float) -> None:
        self.emit(event)
        self.drain(seconds=seconds)

    def drain(self, *, seconds: float) -> bool:
        """Wait until everything is sent; the rest stays in the spool for the launcher."""
        if self._channel is None:
            return False
        with self._changed:
            self._changed.wait_for(lambda: not self._queue or self._is_closed, timeout=seconds)
            return not self._queue

    def send_rest(self, *, seconds: float) -> None:
        """Send what waits, and after a fence each piece of a patch once: the gateway takes those
        even of an attempt that is over."""
        if self.drain(seconds=0 if self._is_closed else seconds) or self._channel is None:
            return
        ends_at = time.monotonic() + seconds
        for entry in list(self._queue) if self._is_closed else ():
            if time.monotonic() > ends_at:
                return
            if PatchChunk.type.encode() in entry.message.body[:TYPE_BYTES]:
                self._channel.deliver(entry.message)

    def _is_settled(self, identifier: str, tick: float) -> bool:
        with self._changed:
            if identifier in self._results:
                return True
            if self._status.unreachable_seconds > self._ask_seconds:
                return True
            return self._changed.wait_for(lambda: identifier in self._results, timeout=tick)

    def _send_all(self) -> None:
        assert self._channel is not None, "the sender only runs with a channel"  # noqa: S101
        while (entry := self._next()) is not None:
            try:
                self._send(entry, self._channel)
            except Stopped:
                return

    def _next(self) -> Entry | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_closed)
            return None if self._is_closed else self._queue[0]

    def _send(self, entry: Entry, channel: Channel) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while not self._is_closed:
            result = channel.deliver(entry.message)
            self._status.note(result)
            if not isinstance(result, Busy | Unreachable):
                self._settle(entry, result)
                return
            asked = result.retry_after if isinstance(result, Busy) else None
            seconds = backoff if asked is None else min(asked, LONGEST_RETRY_AFTER_SECONDS)
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed, timeout=seconds)
            backoff = min(2 * backoff, LONGEST_BACKOFF_SECONDS)

    def _settle(self, entry: Entry, result: DeliveryResult) -> None:
        if isinstance(result, Fenced):
            self.close()
            return
        if not isinstance(result, Delivered):
            print(f"{entry.message.id} was refused: {result}", file=sys.stderr, flush=True)
        self._spool.acknowledge(entry.end)
        with self._changed:
            self._results[entry.message.id] = result
            self._queue.popleft()
            self._changed.notify_all()
