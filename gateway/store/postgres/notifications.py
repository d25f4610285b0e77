"""Notifications between gateways: each commit names to the others what has changed."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Final, TypeVar

import msgspec

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.task import Frozen

T = TypeVar("T")

CHANNEL: Final = "slipgate"
NOTIFY: Final = "SELECT pg_notify(:channel, :payload)"
LISTEN: Final = "LISTEN slipgate"
LONGEST: Final = 3_500
"""Bytes of the topics, and of the endpoints, in one payload; PostgreSQL takes less than 8,000."""
NOTHING_DUE: Final[Mapping[str, str]] = {}


class Notification(Frozen, frozen=True, kw_only=True, omit_defaults=True):
    """A part of what one commit has changed."""

    sender: str
    topics: tuple[str, ...] = ()
    due: Mapping[str, str] = NOTHING_DUE
    """Endpoints with deliveries that are new, or due at another time; and the project of each."""
    after: int = 0
    """The number before that of the commit's first event; in its last notification."""
    until: int = 0
    """The number of its last event."""
    message: str = ""
    """Of one gateway to the others, apart from any commit."""


_DECODER: Final = msgspec.json.Decoder(Notification)


def payloads(sender: str, topics: Iterable[str], unit: UnitOfWork) -> Iterator[str]:
    """The notifications of a commit, with the numbers of its events in the last one. Nobody listens
    to tasks that did not exist before."""
    named = [topic for topic in topics if topic not in unit.tasks.new]
    parts = [*zip_longest(_in_parts(named), _in_parts(_due(unit).items()), fillvalue=())]
    for left, (some, pairs) in zip(reversed(range(len(parts))), parts, strict=True):
        has_numbers = not left and bool(unit.events.new)
        notification = Notification(
            sender=sender,
            topics=tuple(some),
            due=dict(pairs),
            after=unit.seq if has_numbers else 0,
            until=unit.newest if has_numbers else 0,
        )
        yield msgspec.json.encode(notification).decode()


def message_payload(sender: str, message: str) -> str:
    """The notification that carries a message to the other gateways."""
    return msgspec.json.encode(Notification(sender=sender, message=message)).decode()


def decoded(payload: str) -> Notification:
    """A notification from its payload."""
    return _DECODER.decode(payload)


def _due(unit: UnitOfWork) -> dict[str, str]:
    find = unit.outbox.directory.find
    outbox = unit.outbox
    changed = {new.endpoint_id: None for new in unit.deliveries.new}
    changed |= {update.endpoint_id: None for update in outbox.delivery_updates}
    changed |= {turn.endpoint_id: None for turn in outbox.callbacks}
    endpoints = map(find, changed)
    return {each.id: each.project for each in endpoints if each is not None}


def _in_parts(names: Iterable[T]) -> Iterator[list[T]]:
    part: list[T] = []
    length = 0
    for name in names:
        longer = len(msgspec.json.encode(name)) + 1
        if part and length + longer > LONGEST:
            yield part
            part, length = [], 0
        part.append(name)
        length += longer
    if part:
        yield part
