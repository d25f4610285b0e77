"""The outbox as the deliverer reads it."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol

Lane = tuple[str, str]
"""(endpoint, task): its deliveries are offered one after the other."""


class Head(Protocol):
    """The delivery that a lane may send now."""

    @property
    def endpoint_id(self) -> str:
        """To whom."""

    @property
    def seq(self) -> int:
        """The number of the event."""

    @property
    def task_id(self) -> str:
        """Whose event it is."""

    @property
    def attempts(self) -> int:
        """How many were made so far."""

    @property
    def failures(self) -> int:
        """The place in the schedule."""

    @property
    def trigger(self) -> Literal["auto", "manual", "replay"]:
        """What the next attempt is owed to."""

    @property
    def body(self) -> str | None:
        """What was sent the first time; None before that."""

    @property
    def rate_per_second(self) -> float | None:
        """How many its endpoint wants at most; None: it does not say."""


class Failure(Protocol):
    """An attempt that came to nothing; moments in milliseconds."""

    @property
    def endpoint_id(self) -> str:
        """Whose it was."""

    @property
    def failing_since(self) -> int:
        """When the first one failed since one succeeded."""

    @property
    def at(self) -> int:
        """When it was made."""

    @property
    def reason(self) -> str:
        """A stable word."""


class OutboxReads(Protocol):
    """What the deliverer reads of the store."""

    async def due_deliveries(
        self, now: int, limit: int, closed: Sequence[str] = ()
    ) -> Sequence[Head]:
        """Heads of lanes that may be sent now to all but these endpoints, the longest due first."""

    async def next_delivery(self, now: int, closed: Sequence[str] = ()) -> int | None:
        """When the next one to another endpoint than these comes due (milliseconds)."""

    async def failures(self) -> Sequence[Failure]:
        """The last ones of the endpoints to which nothing got through since, oldest first."""

    async def changed_at(self, endpoint_ids: Sequence[str]) -> Mapping[str, int]:
        """When somebody last changed each of these endpoints (milliseconds)."""


class CannotWrite(Exception):
    """A delivery has no letter: its address or its secret cannot be read."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason: Final = reason
        """A stable word."""
