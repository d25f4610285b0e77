"""Wake-ups: hints without content, so that nobody has to poll what has not changed."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress


class Listener:
    """Hears of its topics. Listen first, then read, then wait: nothing is missed in between."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    def tell(self) -> None:
        """Something of it may have changed."""
        self._told.set()

    async def wait(self, seconds: float | None) -> bool:
        """Until told, or until so many seconds have passed (False); forgets what it was told."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._told.wait(), seconds)
        told = self._told.is_set()
        self._told.clear()
        return told


class Hints:
    """Who listens to which topic: `jobs`, `deliveries`, `due`, a task's id, `project:<name>`."""

    def __init__(self) -> None:
        # Dictionaries, for their order: who has waited longest is told first.
        self._listeners: dict[str, dict[Listener, None]] = {}

    @contextmanager
    def listen(self, *topics: str) -> Iterator[Listener]:
        """A listener to any of these topics, for as long as the context lasts."""
        listener = Listener()
        for topic in topics:
            self._listeners.setdefault(topic, {})[listener] = None
        try:
            yield listener
        finally:
            for topic in topics:
                self._leave(topic, listener)

    def tell(self, topics: Iterable[str]) -> None:
        """Wakes everybody who listens to any of them."""
        for topic in topics:
            for listener in self._listeners.get(topic, ()):
                listener.tell()

    def tell_all(self) -> None:
        """Wakes everybody: we stop, and whoever waits should look and go."""
        self.tell(tuple(self._listeners))

    def _leave(self, topic: str, listener: Listener) -> None:
        listeners = self._listeners[topic]
        listeners.pop(listener, None)
        if not listeners:
            del self._listeners[topic]
