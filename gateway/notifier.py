"""Wake-ups without content: a listener reads again, and nobody polls what has not changed."""

import asyncio
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final

PAUSES: Final = (0.0, 0.1, 0.3, 1.0)
"""Seconds between a notification and its read, the longer the more reads have found nothing: a
thousand callers who wait for something rare must not read at everything that happens."""


def pause_after(fruitless: int) -> float:
    """Seconds, after so many reads that found nothing; not the same for all who are notified
    together."""
    return PAUSES[min(fruitless, len(PAUSES) - 1)] * random.uniform(0.5, 1.0)  # noqa: S311


class Listener:
    """Waits for its topics. Listen first, then read, then wait: nothing is missed in between."""

    def __init__(self) -> None:
        self._is_notified = False
        self._waiter: asyncio.Future[None] | None = None

    def notify(self) -> None:
        """Wakes the listener: something of its topics may have changed."""
        self._is_notified = True
        if self._waiter is not None:
            _wake(self._waiter)

    async def wait(self, seconds: float | None) -> bool:
        """Waits for a notification, and forgets it; False after this many seconds without one. Only
        one caller may wait at a time."""
        if not self._is_notified:
            # A future and a timer: everybody who polls or streams waits here, and `wait_for` would
            # make a task for each.
            loop = asyncio.get_running_loop()
            waiter = self._waiter = loop.create_future()
            timer = None if seconds is None else loop.call_later(seconds, _wake, waiter)
            try:
                await waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        was_notified, self._is_notified = self._is_notified, False
        return was_notified


class Notifier:
    """Listeners by topic: `jobs`, `deliveries`, `due`, a task's id, `project:<name>`."""

    def __init__(self) -> None:
        # Dictionaries, for their order: who has waited longest is notified first.
        self._listeners: dict[str, dict[Listener, None]] = {}
        self._numbers = count(1)
        self._versions: dict[str, int] = {}

    @contextmanager
    def listen(self, *topics: str) -> Iterator[Listener]:
        """A listener to any of these topics, for as long as the context lasts."""
        listener = Listener()
        for topic in topics:
            self._join(topic, listener)
        try:
            yield listener
        finally:
            for topic in topics:
                self._leave(topic, listener)

    def notify(self, topics: Iterable[str]) -> None:
        """Wakes everybody who listens to any of them."""
        for topic in topics:
            listeners = self._listeners.get(topic)
            if listeners:
                self._versions[topic] = next(self._numbers)
                for listener in listeners:
                    listener.notify()

    def version(self, topic: str) -> int:
        """The number of the topic's last notification. A listener that reads after asking for it,
        and finds it unchanged, will be notified of everything that its read did not find."""
        return self._versions.get(topic) or next(self._numbers)

    def notify_all(self) -> None:
        """Wakes all listeners, to end their waits when the gateway stops."""
        self.notify(tuple(self._listeners))

    def _join(self, topic: str, listener: Listener) -> None:
        self._listeners.setdefault(topic, {})[listener] = None
        self._versions.setdefault(topic, next(self._numbers))

    def _leave(self, topic: str, listener: Listener) -> None:
        listeners = self._listeners[topic]
        listeners.pop(listener, None)
        if not listeners:
            del self._listeners[topic], self._versions[topic]


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
