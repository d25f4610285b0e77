"""All connections of a server: those that have waited longest are ended first when there are too
many."""

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, Protocol, cast

import structlog
from uvicorn.server import ServerState

log = structlog.get_logger(__name__)

LOG_SECONDS: Final = 10
"""Between two log lines about refused connections."""
HELD_BYTES: Final = 64 * 1024 * 1024
"""Of requests that have not come whole, of all callers together."""
UNREAD_BYTES: Final = 128 * 1024 * 1024
"""Of answers that were written and not read, of all callers together: a page of events may have
13 MiB, and a request is over once its answer is written."""
PROMPT_SECONDS: Final = 1.0
"""Usual time for a request to come whole."""
ENDED_AT_ONCE: Final = 10
"""In one turn of the event loop. A flood comes, and is late, at one moment: to answer 5,400 took
half a second."""
SPARE: Final = 128
"""Connections above the bound while all others are being answered, for health checks."""


class Bounded(Protocol):
    """A connection with a deadline."""

    since: float
    """The beginning of its request, in the loop's time."""
    held: int
    """Bytes of a request that has not come whole."""

    @property
    def holder(self) -> str:
        """Whom its newest request counts for."""

    def is_late(self, now: float) -> bool:
        """True once its deadline is over."""

    def expire(self, now: float) -> None:
        """Ends it with an answer, if it can have one."""

    def evict(self) -> None:
        """Ends it at once."""


class Connections(ServerState):
    """The state that uvicorn shares among connections, with the order in which they may be ended.

    `unfinished` have begun a request, or nothing yet; `idle` wait for the next one; both are in the
    order of time. All others are being answered, and are bounded by their keys.
    """

    def __init__(self, *, most: int, refused: Callable[[str], None] = lambda _: None) -> None:
        super().__init__()
        self.unfinished: dict[Bounded, None] = {}
        self.idle: dict[Bounded, None] = {}
        self.held = 0
        self.unread: Counter[str] = Counter()
        """Bytes of answers that were not read, by their holder."""
        self._stalled: dict[Bounded, tuple[str, int]] = {}
        """The share of each connection in `unread`, in the order of time."""
        self._most = most
        self._refused = refused
        self._unlogged: Counter[str] = Counter()
        self._log_at = 0.0

    def begin(self, connection: Bounded) -> None:
        self.idle.pop(connection, None)
        self.unfinished[connection] = None

    def finish(self, connection: Bounded) -> None:
        self.unfinished.pop(connection, None)
        self.held -= connection.held
        connection.held = 0

    def rest(self, connection: Bounded) -> None:
        self.idle[connection] = None

    def leave(self, connection: Bounded) -> None:
        self.idle.pop(connection, None)
        self.finish(connection)
        self.forget_unread(connection)

    def hold(self, connection: Bounded, size: int) -> None:
        """Counts bytes of a request that has not come whole."""
        connection.held += size
        self.held += size
        while self.held > HELD_BYTES and self.unfinished:
            self._evict(self.unfinished)

    def count_unread(self, connection: Bounded, size: int) -> None:
        """Counts bytes of an answer that are not read. Above the bound whoever leaves most of them
        unread loses those that have waited longest."""
        self.forget_unread(connection)
        holder = connection.holder
        self._stalled[connection] = holder, size
        self.unread[holder] += size
        while self.unread.total() > UNREAD_BYTES:
            ((greatest, _),) = self.unread.most_common(1)
            theirs = [each for each, (of, _) in self._stalled.items() if of == greatest]
            self._evict(theirs, "answer_not_read")

    def forget_unread(self, connection: Bounded) -> None:
        """The caller has read its answer, or has gone."""
        holder, size = self._stalled.pop(connection, ("", 0))
        self.unread[holder] -= size
        if not self.unread[holder]:
            del self.unread[holder]

    def evict_for_new(self, now: float) -> None:
        """Ends one for the newest, which is the last of the unfinished, if there are too many."""
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
        """Counts a connection that is ended without a request: no other log line tells of it."""
        self._refused(reason)
        self._unlogged[reason] += 1

    def sweep(self, now: float) -> bool:
        """Ends late connections, a few at a time, and logs the refused ones; `now` is the loop's
        time in seconds. True: there may be more."""
        if self._unlogged and now >= self._log_at:
            log.warning("connections.refused", **self._unlogged)
            self._unlogged.clear()
            self._log_at = now + LOG_SECONDS
        known = cast("set[Bounded]", self.connections)  # `server` makes no others
        late = list(islice((each for each in known if each.is_late(now)), ENDED_AT_ONCE))
        for each in late:
            each.expire(now)
        return len(late) == ENDED_AT_ONCE

    def _evict(self, from_these: Iterable[Bounded], reason: str = "no_room") -> None:
        oldest = next(iter(from_these))
        self.leave(oldest)
        self.count_refused(reason)
        oldest.evict()
