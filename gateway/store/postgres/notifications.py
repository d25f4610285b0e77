"""Notifications between gateways: whoever has committed tells the others where to look again."""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Final, TypeVar

import msgspec

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.task import Frozen

T = TypeVar("T")

CHANNEL: Final = "slipgate"
NOTIFY: Final = "SELECT pg_notify(:channel, :payload)"
LISTEN: Final = "LISTEN slipgate"
PER_PAYLOAD: Final = 40
"""Names in one payload, of which PostgreSQL takes up to 8,000 bytes."""


NOTHING_DUE: Final[Mapping[str, str]] = {}


class Notification(Frozen, frozen=True, kw_only=True, omit_defaults=True):
    """A part of what one commit has changed."""

    sender: str
    topics: tuple[str, ...] = ()
    due: Mapping[str, str] = NOTHING_DUE
    """Endpoints with new deliveries, and the project of each."""
    after: int = 0
    """The number before that of the commit's first event; in its last notification."""
    until: int = 0
    """The number of its last event."""


_DECODER: Final = msgspec.json.Decoder(Notification)


def payloads(sender: str, topics: Collection[str], unit: UnitOfWork) -> Iterator[str]:
    """The notifications of a commit, with the numbers of its events in the last one."""
    for some in _in_parts(topics):
        yield _encoded(Notification(sender=sender, topics=tuple(some)))
    for pairs in _in_parts(_due(unit).items()):
        yield _encoded(Notification(sender=sender, due=dict(pairs)))
    if unit.events.new:
        yield _encoded(Notification(sender=sender, after=unit.seq, until=unit.newest))


def decoded(payload: str) -> Notification:
    """A notification from its payload."""
    return _DECODER.decode(payload)


def _due(unit: UnitOfWork) -> dict[str, str]:
    find = unit.outbox.directory.find
    endpoints = (find(new.endpoint_id) for new in unit.deliveries.new)
    return {each.id: each.project for each in endpoints if each is not None}


def _encoded(notification: Notification) -> str:
    return msgspec.json.encode(notification).decode()


def _in_parts(names: Collection[T]) -> Iterator[list[T]]:
    rest = iter(names)
    while part := list(islice(rest, PER_PAYLOAD)):
        yield part
