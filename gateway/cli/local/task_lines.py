"""The lines of an `up` about its tasks: one when a task is made, one when it has ended."""

import threading
from types import TracebackType
from typing import Final, Self

from gateway.cli.console.output import CommandFailed
from gateway.cli.console.terminal import out
from gateway.cli.http.client import LONG_POLL, Client, EventPage, decode_events, open_http
from gateway.cli.http.connection import Connection
from gateway.cli.http.feed import FEED, feed_end
from gateway.cli.tasks.printing import event_line
from gateway.domain.tasks.task import TERMINAL

SHOWN: Final = ",".join(
    ("task.created", "task.pr_created", *sorted(f"task.{status}" for status in TERMINAL))
)
_GRACE: Final = 2.0
"""Seconds for the end of its wait."""
_PAUSE: Final = 1.0
"""Seconds before the feed is asked again after a failure."""


class TaskLines:
    """Follows the feed in a thread. Leave it when the gateway has stopped: that ends its wait."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(_GRACE)

    def follow(self, connection: Connection) -> None:
        """Begins with what comes now."""
        self._thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
        self._thread.start()

    def _run(self, connection: Connection) -> None:
        headers = {"authorization": f"Bearer {connection.key}"}
        with open_http(connection.url, headers=headers, timeout=LONG_POLL + 15) as http:
            client, after = Client(http, connection), None
            while not self._over.is_set():
                try:
                    after = (
                        feed_end(client)
                        if after is None
                        else print_tasks(client, after, self._over)
                    )
                except CommandFailed:
                    self._over.wait(_PAUSE)


def print_tasks(client: Client, after: int, over: threading.Event) -> int:
    """Prints the next events, unless it is over; returns the number of the last one."""
    page = client.read(EventPage, FEED, types=SHOWN, limit=200, wait=LONG_POLL, after=after)
    if not over.is_set():
        for event in decode_events(page):
            out.print(event_line(event, with_subject=True))
    return int(page.next_cursor or after)
