"""The feed of a project's events, and its end."""

from typing import Final

from gateway.cli.http.client import Client, EventPage

FEED: Final = "/v1/events"
_RARE: Final = "sandbox.released"
"""A type with few events: finding the end of the feed must not read all of it."""


def feed_end(client: Client) -> int:
    """The cursor behind all events that the feed has now."""
    after: str | None = None
    while True:
        page = client.read(EventPage, FEED, types=_RARE, limit=200, after=after)
        if page.next_cursor in (None, after or "0"):
            return int(after or 0)
        after = page.next_cursor
