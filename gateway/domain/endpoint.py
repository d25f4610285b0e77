"""Endpoints: who is told of a project's events, and of which."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec

from gateway.domain.event import FACTS, QUIET
from gateway.domain.event_types import types_of
from gateway.domain.task import Frozen

Patterns = tuple[str, ...]
"""Types of events: `task.started`, `task.*`, `*`."""

USUAL: Final = frozenset(FACTS) - QUIET
"""What an endpoint gets that names no types."""


class Endpoint(Frozen, frozen=True, kw_only=True):
    """An endpoint without its secrets; moments in milliseconds."""

    id: str
    project: str
    origin: str
    """Scheme, host and port."""
    implicit: bool = True
    """It stands for the `callbackUrl`s of one origin; each task brings its own address."""
    enabled: bool = True
    shown_url: str | None = None
    """Without what may be secret in it; None: the origin."""
    header_names: tuple[str, ...] = ()
    description: str | None = None
    event_types: Patterns | None = None
    """None: the usual ones."""
    rate_per_second: float | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    is_draining: bool = False
    """What it missed is on its way: newer events are held too, and wait for their turn."""
    disabled_reason: str | None = None
    failing_since: int | None = None
    """When the first of its attempts failed since one succeeded."""
    created_at: int = 0
    updated_at: int = 0
    told_at: int | None = None
    """Since when people know that it fails or is disabled; None: as far as they know, it works."""
    seq: int = 0
    """The number of its newest event."""

    @property
    def holds(self) -> bool:
        """Whether a new event is held, and not sent at once."""
        return not self.enabled or self.is_draining

    def wants(self, kind: str) -> bool:
        """Whether it gets events of this type."""
        return kind in wanted_types(self.event_types)


class Subscription(Frozen, frozen=True, kw_only=True):
    """What an endpoint wants of the events behind a number, until it wants something else."""

    endpoint_id: str
    after_seq: int
    event_types: Patterns | None
    """None: the usual ones; (): nothing more."""


@lru_cache(maxsize=1024)
def wanted_types(patterns: Patterns | None) -> frozenset[str]:
    """The types that an endpoint with these patterns gets.

    Raises:
        ValueError: a pattern means no type.
    """
    return USUAL if patterns is None else types_of(patterns)


class Directory:
    """All endpoints that were not deleted. It never changes: a batch that fails leaves no trace."""

    def __init__(self, endpoints: Iterable[Endpoint] = ()) -> None:
        self._by_id: Final = {endpoint.id: endpoint for endpoint in endpoints}
        self._of_project: Final[dict[str, tuple[Endpoint, ...]]] = {}
        for endpoint in self._by_id.values():
            if not endpoint.implicit:
                others = self._of_project.get(endpoint.project, ())
                self._of_project[endpoint.project] = (*others, endpoint)

    def find(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint, unless it was deleted."""
        return self._by_id.get(endpoint_id)

    def audience(self, project: str, callback: str | None) -> tuple[Endpoint, ...]:
        """Who may hear of a task: its project's endpoints, and the implicit one of its callback."""
        explicit = self._of_project.get(project, ())
        implicit = None if callback is None else self._by_id.get(callback)
        return explicit if implicit is None else (*explicit, implicit)

    def others(self, endpoint: Endpoint) -> tuple[Endpoint, ...]:
        """Who may hear of this endpoint: its project's endpoints, but never itself."""
        explicit = self._of_project.get(endpoint.project, ())
        return tuple(other for other in explicit if other.id != endpoint.id)

    def having(self, endpoint: Endpoint) -> "Directory":
        """With this endpoint as it now stands."""
        return Directory((self._by_id | {endpoint.id: endpoint}).values())

    def without(self, endpoint_id: str) -> "Directory":
        """With one endpoint less."""
        return Directory(each for each in self._by_id.values() if each.id != endpoint_id)
