"""Says the attempt's words: to the spool first, then, in order, to the gateway."""

import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

from ..stop import Reason, Stop, Stopped
from .channel import Channel
from .delivery import Busy, Delivered, DeliveryResult, Fenced, Rejected, Unreachable
from .events import Event, FinalEvent, PatchChunk
from .messages import MessageBuilder
from .spool import Entry, Spool
from .standing import GatewayStatus

FIRST_BACKOFF_SECONDS: Final = 0.2
LONGEST_BACKOFF_SECONDS: Final = 5.0
TYPE_BYTES: Final = 100
"""The type stands first in a body."""
LONGEST_PATIENCE_SECONDS: Final = 120.0
"""No `Retry-After` is believed beyond this: a cancel must still reach us."""


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
        """Begin to send, first of all what an earlier start left behind."""
        if self._channel is not None:
            self._sender.start()

    def close(self) -> None:
        """Send no more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def emit(self, word: Event) -> Entry:
        """Spool a word and go on; it is sent in its turn."""
        with self._changed:
            entry = self._spool.append(self._builder.message(word))
            self._queue.append(entry)
            self._changed.notify_all()
            return entry

    def emit_all(self, words: Sequence[Event]) -> None:
        """Spool many words at once; the disk is waited for only once."""
        with self._changed:
            self._queue += self._spool.append_all([self._builder.message(word) for word in words])
            self._changed.notify_all()

    def ask(self, word: Event) -> None:
        """Spool a word and wait until the gateway has applied it.

        Goes on without an answer if there is no gateway to ask, or none that can be reached.

        Raises:
            Stopped: the gateway refused it, or the attempt was stopped meanwhile.
        """
        self._stop.check()
        identifier = self.emit(word).message.id
        if self._channel is None:
            return
        self._stop.until(lambda tick: self._is_settled(identifier, tick))
        result = self._results.get(identifier)
        if isinstance(result, Rejected) or (isinstance(result, Delivered) and not result.applied):
            detail = result.detail if isinstance(result, Rejected) else "not applied"
            self._stop.request(Reason.FENCED, f"the gateway refused {word.type}: {detail}")
            self._stop.check()

    def finish(self, word: FinalEvent, *, seconds: float) -> bool:
        """Say the last word; whether everything was taken within the time."""
        self.emit(word)
        return self.drain(seconds=seconds)

    def drain(self, *, seconds: float) -> bool:
        """Wait until everything was sent; what was not stays in the spool for the launcher."""
        if self._channel is None:
            return False
        with self._changed:
            self._changed.wait_for(lambda: not self._queue or self._is_closed, timeout=seconds)
            return not self._queue

    def send_rest(self, *, seconds: float) -> None:
        """Send what waits although the attempt may be over: pieces of a patch are kept even then.

        Each is sent once, whatever the answer is; the spool has them all.
        """
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
        while (entry := self._next()) is not None:
            try:
                self._send(entry)
            except Stopped:
                return

    def _next(self) -> Entry | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_closed)
            return None if self._is_closed else self._queue[0]

    def _send(self, entry: Entry) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while not self._is_closed:
            result = self._deliver(entry)
            if not isinstance(result, Busy | Unreachable):
                self._settle(entry, result)
                return
            self._pause(result, backoff)
            backoff = min(2 * backoff, LONGEST_BACKOFF_SECONDS)

    def _deliver(self, entry: Entry) -> DeliveryResult:
        assert self._channel is not None, "the sender only runs with a channel"  # noqa: S101
        result = self._channel.deliver(entry.message)
        self._status.note(result)
        return result

    def _pause(self, result: Busy | Unreachable, backoff: float) -> None:
        asked = result.retry_after if isinstance(result, Busy) else None
        seconds = backoff if asked is None else min(asked, LONGEST_PATIENCE_SECONDS)
        ends_at = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed, timeout=ends_at - time.monotonic())

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
