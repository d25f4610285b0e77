"""The outbox as the deliverer reads it."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from gateway.domain.deliveries.outbox import DeliveryKey

Lane = tuple[str, str]
"""(endpoint, task): its deliveries are offered one after the other."""


class Head(Protocol):
    """The delivery that a lane may send now."""

    @property
    def endpoint_id(self) -> str:
        """To whom."""

    @property
    def project(self) -> str:
        """Whose endpoint it is."""

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
    def repeats(self) -> int:
        """`REPEAT` and `REPEATING` of the domain; 0: it is sent until it arrives."""

    @property
    def rate_per_second(self) -> float | None:
        """How many its endpoint wants at most; None: it does not say."""


class Due(Protocol):
    """What may be sent to an endpoint."""

    @property
    def heads(self) -> Sequence[Head]:
        """Now, the longest due first."""

    @property
    def next_at(self) -> int | None:
        """When the next of its deliveries comes due that is not yet (milliseconds)."""


class OwedEndpoint(Protocol):
    """An endpoint that is owed something."""

    @property
    def endpoint_id(self) -> str:
        """Its id."""

    @property
    def project(self) -> str:
        """Whose it is."""

    @property
    def at(self) -> int | None:
        """When the first of it comes due (milliseconds); None: the endpoint is disabled."""


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

    async def due_deliveries(self, now: int, endpoint_ids: Sequence[str]) -> Mapping[str, Due]:
        """What may be sent to each of these endpoints that is enabled."""

    async def owed_endpoints(self, after: str, limit: int) -> Sequence[OwedEndpoint]:
        """The next endpoints behind this one that are owed something, by their ids."""

    async def new_deliveries(
        self, after: DeliveryKey, limit: int
    ) -> Sequence[tuple[DeliveryKey, str]]:
        """The next deliveries behind this one, in the order of their events, each with its
        project."""

    async def newest_event(self) -> int:
        """The number of the newest event."""

    async def failures(self) -> Sequence[Failure]:
        """The last ones of the endpoints to which nothing got through since, oldest first."""

    async def changed_at(self, endpoint_ids: Sequence[str]) -> Mapping[str, int]:
        """When somebody last changed each of these endpoints (milliseconds)."""
