"""All connections of a server: a connection is not a request, and whoever keeps us waiting longest
goes first when there is no room."""

from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Final, Protocol, cast

import structlog
from uvicorn.server import ServerState

log = structlog.get_logger(__name__)

TELL_SECONDS: Final = 10
"""Between two lines of the log about connections that were refused, however many they are."""
HELD_BYTES: Final = 64 * 1024 * 1024
"""Of heads and bodies that have not come whole, of all callers together."""
PROMPT_SECONDS: Final = 1.0
"""Within which a request usually comes whole."""
ENDED_AT_ONCE: Final = 10
"""In one turn of the event loop. A flood comes at one moment, and is late at one moment: to answer
5,400 took half a second."""
SPARE: Final = 128
"""Connections above the bound for those who find all others being answered: health checks."""


class Owing(Protocol):
    """A connection whose caller owes us something."""

    since: float
    """When its request began to come, in the loop's time."""
    held: int
    """Bytes of a request that has not come whole."""

    def is_late(self, now: float) -> bool:
        """Whether its time is over."""

    def expire(self, now: float) -> None:
        """Ends what is late."""

    def evict(self) -> None:
        """Ends it at once."""


class Connections(ServerState):
    """What uvicorn shares among its connections, with the order in which they may be ended.

    `unfinished` have begun a request, or nothing yet; `idle` wait for the next one. All others are
    being answered, and are bounded by the keys they belong to. Both are in the order of time.
    """

    def __init__(self, *, most: int, refused: Callable[[str], None] = lambda _: None) -> None:
        super().__init__()
        self.unfinished: dict[Owing, None] = {}
        self.idle: dict[Owing, None] = {}
        self.held = 0
        self._most = most
        self._refused = refused
        self._untold: Counter[str] = Counter()
        self._tell_at = 0.0

    def begin(self, connection: Owing) -> None:
        """A request begins to come."""
        self.idle.pop(connection, None)
        self.unfinished[connection] = None

    def finish(self, connection: Owing) -> None:
        """The request has come whole."""
        self.unfinished.pop(connection, None)
        self.held -= connection.held
        connection.held = 0

    def rest(self, connection: Owing) -> None:
        """It has been answered, and waits for the next request."""
        self.idle[connection] = None

    def leave(self, connection: Owing) -> None:
        """The connection is over."""
        self.idle.pop(connection, None)
        self.finish(connection)

    def hold(self, connection: Owing, size: int) -> None:
        """So many bytes more of a request that has not come whole."""
        connection.held += size
        self.held += size
        while self.held > HELD_BYTES and self.unfinished:
            self._evict(self.unfinished)

    def make_room(self, now: float) -> None:
        """For a connection that was just made, and stands last among the unfinished."""
        size = len(self.connections)
        if size <= self._most:
            return
        oldest = next(iter(self.unfinished))
        is_slow = now - oldest.since > PROMPT_SECONDS
        if self.idle and not is_slow:
            self._evict(self.idle)
        elif len(self.unfinished) > 1 or size > self._most + SPARE:
            self._evict(self.unfinished)

    def count_refused(self, reason: str) -> None:
        """One that is ended: of a request that did not come, or that nobody waits for, there is no
        other line."""
        self._refused(reason)
        self._untold[reason] += 1

    def sweep(self, now: float) -> bool:
        """Ends connections whose time is over, a few at a time, and tells of those that were
        refused; `now` is the loop's time in seconds. True: there may be more."""
        if self._untold and now >= self._tell_at:
            log.warning("connections.refused", **self._untold)
            self._untold.clear()
            self._tell_at = now + TELL_SECONDS
        owing = cast("set[Owing]", self.connections)  # `server` makes no others
        late = list(islice((each for each in owing if each.is_late(now)), ENDED_AT_ONCE))
        for each in late:
            each.expire(now)
        return len(late) == ENDED_AT_ONCE

    def _evict(self, from_these: dict[Owing, None]) -> None:
        oldest = next(iter(from_these))
        self.leave(oldest)
        self.count_refused("no_room")
        oldest.evict()
