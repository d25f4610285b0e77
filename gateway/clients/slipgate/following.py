"""Following tasks across restarts of the gateway: waiting for an end, and streams of events."""

from collections.abc import Generator, Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from slipgate.call import Answer, Call, NoAnswer, make_call
from slipgate.errors import WaitTimeout
from slipgate.exchange import (
    Attempts,
    Effect,
    Emit,
    Items,
    Open,
    Read,
    Retries,
    Steps,
    exchange,
)
from slipgate.sse import EventDecoder
from slipgate.types import Event, Page, Task

T = TypeVar("T")

LONG_POLL: Final = 20
"""Seconds that one request waits for an event."""
SILENCE: Final = 30.0
"""Seconds a stream may be silent beyond the usual time: there is a comment every 15 s."""
PAGE: Final = 200
ENDS: Final = frozenset(
    f"task.{status}"
    for status in ("completed", "needs_review", "failed", "timed_out", "cancelled", "expired")
)
"""Events with which a task may have ended; a retry may follow in the same moment."""
_BROKEN: Final = NoAnswer(reason="the stream broke off", was_sent=True)


def wait_for(task_id: str, retries: Retries, *, timeout: float | None) -> Steps[Task]:
    """Waits until a task has ended.

    Raises:
        WaitTimeout: it had not in `timeout` seconds.
    """
    end = None if timeout is None else retries.clock() + timeout
    feed = _Feed(task_id)
    while True:
        task = yield from exchange(feed.task(), retries)
        if task.finished_at is not None:
            return task
        left = LONG_POLL if end is None else end - retries.clock()
        if left <= 0:
            raise WaitTimeout(f"{task_id} is {task.status} after {timeout:g} s; it goes on.")
        yield from feed.read(retries, wait=min(int(left) + 1, LONG_POLL))
        while feed.is_behind:
            yield from feed.read(retries)


def stream(
    task_id: str | None,
    retries: Retries,
    *,
    after: int | str | None = None,
    types: Iterable[str] | None = None,
) -> Items[Event]:
    """The events of a task until it has ended, or of the project without end: each once and in
    order, also across broken connections and restarts."""
    feed = _Feed(task_id, after, types)
    attempts = Attempts(retries)
    while True:
        if task_id is not None:
            task = yield from exchange(feed.task(), retries)
            if task.finished_at is not None:
                break
        call = feed.stream()
        outcome = yield Open(call)
        if isinstance(outcome, Answer) and outcome.is_success:
            if (yield from _emitted(feed, attempts)):
                continue
            outcome = _BROKEN
        yield attempts.pause_after(call, outcome)
    while events := (yield from feed.read(retries)):
        yield from map(Emit, events)


def pages(call: Call[Page[T]], place: str, retries: Retries) -> Items[T]:
    """The items of all pages of a list, whose `place` is a `cursor`, or of a feed, whose `place` is
    `after` and which ends with an empty page."""
    while True:
        page = yield from exchange(call, retries)
        yield from map(Emit, page.data)
        if page.next_cursor is None or (place == "after" and not page.data):
            return
        call = call.at(place, page.next_cursor)


def _emitted(feed: "_Feed", attempts: Attempts) -> Generator[Effect | Emit[Event], Any, bool]:
    """Emits what the open stream brings. True: the task may have ended; False: it broke off."""
    decoder = EventDecoder()
    while chunk := (yield Read()):
        attempts.begin()
        for sent in decoder.feed(chunk):
            event = msgspec.json.decode(sent.data, type=Event)
            feed.after = sent.id
            yield Emit(event)
            if feed.task_id is not None and event.type in ENDS:
                return True
    return False


class _Feed:
    """A feed of events, and the place up to which it was read."""

    def __init__(
        self,
        task_id: str | None,
        after: int | str | None = None,
        types: Iterable[str] | None = None,
    ) -> None:
        self.task_id = task_id
        self.after = None if after is None else str(after)
        self.is_behind = False
        """True if the last page was full."""
        # Each request names them, and an iterator gives them once.
        self._types = types if types is None or isinstance(types, str) else tuple(types)

    def task(self) -> Call[Task]:
        return make_call("GET", "/v1/tasks/{task_id}", Task, {"task_id": self.task_id})

    def read(self, retries: Retries, wait: int = 0) -> Steps[tuple[Event, ...]]:
        """The next page."""
        query = {"limit": PAGE, "wait": wait} if wait else {"limit": PAGE}
        page = yield from exchange(self._call(Page[Event], query), retries)
        self.after = page.next_cursor
        self.is_behind = len(page.data) == PAGE
        return page.data

    def stream(self) -> Call[bytes]:
        call = self._call(bytes, {})
        headers = {**call.headers, "accept": "text/event-stream"}
        return msgspec.structs.replace(call, headers=headers, wait=SILENCE)

    def _call(self, kind: type[T], query: Mapping[str, object]) -> Call[T]:
        given = {"task_id": self.task_id, "after": self.after, "types": self._types, **query}
        path = "/v1/events" if self.task_id is None else "/v1/tasks/{task_id}/events"
        left = {name: value for name, value in given.items() if value is not None}
        return make_call("GET", path, kind, left)
