"""Ownership: the work that one gateway does at a time, of all that share a database."""

from collections.abc import Collection, Mapping
from typing import Final, Protocol

from gateway.domain.kernel.unit_of_work import UnitOfWork

PARTITIONS: Final = 64
"""Groups of endpoints; a gateway owns whole ones."""


class Ownership(Protocol):
    """The work of this gateway now. It may be lost at any time; whoever starts something asks
    before."""

    @property
    def is_leader(self) -> bool:
        """True if the loops run here that one gateway runs for all."""

    @property
    def version(self) -> int:
        """A number that changes when endpoints come or go."""

    @property
    def gateways(self) -> int:
        """The number of gateways of the database; 0 while this one has no session."""

    @property
    def partitions(self) -> int:
        """The number of partitions of the endpoints that are served here."""

    @property
    def is_informed(self) -> bool:
        """True if this gateway knew of every event before those of the commit that it followed
        last."""

    @property
    def is_unchanged(self) -> bool:
        """True if no endpoint has come or gone since the commit began that this gateway followed
        last: if its answer was late, another gateway may have sent its deliveries."""

    def owns(self, endpoint_id: str) -> bool:
        """True if the deliveries to this endpoint start here and nowhere else."""

    def follow(self, unit: UnitOfWork) -> None:
        """Notes the numbers of a commit of this gateway."""


class Subscriber(Protocol):
    """A gateway that is notified of what others commit on its database."""

    @property
    def busy_endpoints(self) -> Collection[str]:
        """Endpoints with attempts in flight: they are given to no other gateway yet."""

    def receive(self, topics: Collection[str], due: Mapping[str, str]) -> None:
        """Looks at the topics of a commit, and at endpoints with changed deliveries, each with its
        project."""

    def catch_up(self) -> None:
        """Looks at everything: notifications may have been missed."""


class SoleOwner:
    """The ownership of a gateway that is alone on its database."""

    is_leader = True
    version = 0
    gateways = 1
    partitions = PARTITIONS
    is_informed = True
    is_unchanged = True

    def owns(self, _endpoint_id: str) -> bool:
        """True."""
        return True

    def follow(self, unit: UnitOfWork) -> None:
        """Nothing to note."""


ALONE: Final = SoleOwner()
