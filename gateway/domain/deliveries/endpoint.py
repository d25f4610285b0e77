"""Endpoints: the receivers of a project's events; their secrets, headers and subscriptions.

An endpoint may be that of one customer of the application: it gets own events of that customer
alone. Those without a customer are the project's.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, Literal

import msgspec

from gateway.domain.deliveries.type_patterns import is_own_wanted, split
from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.event import ABOUT_OPERATIONS, FACTS, QUIET, types_of
from gateway.domain.tasks.task import Frozen
from gateway.wire.problem import FieldError

Patterns = tuple[str, ...]
"""Types of events: `task.started`, `task.*`, `*`."""

Owner = tuple[str, str | None]
"""A project, and one of its customers; None: the project itself."""

Format = Literal["standard", "slack"]
SLACK: Final = (
    "task.completed",
    "task.needs_review",
    "task.failed",
    "task.timed_out",
    "task.expired",
)
"""The types for an endpoint of format `slack` that names none: what people wait for."""
USUAL: Final = frozenset(FACTS) - QUIET
"""The types for an endpoint that names none."""


class Endpoint(Frozen, frozen=True, kw_only=True):
    """An endpoint without its secrets; times in milliseconds."""

    id: str
    project: str
    origin: str
    """Scheme, host and port."""
    implicit: bool = True
    """True for the `callbackUrl`s of one origin; each task has its own address."""
    enabled: bool = True
    shown_url: str | None = None
    """The address without its secret parts; None: the origin."""
    header_names: tuple[str, ...] = ()
    description: str | None = None
    event_types: Patterns | None = None
    """None: the usual types."""
    rate_per_second: float | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    is_draining: bool = False
    """True while held deliveries are being released: newer events are held too."""
    disabled_reason: str | None = None
    failing_since: int | None = None
    """The first failed attempt since the last success."""
    created_at: int = 0
    updated_at: int = 0
    failure_event_at: int | None = None
    """Time of the event that it fails or is disabled; None: no such event since it last worked."""
    seq: int = 0
    """The number of its newest event."""
    format: Format = "standard"
    """Fixed: a delivery keeps its body."""
    customer: str | None = None
    """The only customer whose own events it gets, and it gets nothing else; None: it is the
    project's. Fixed: an address is told nothing of others."""

    @property
    def holds(self) -> bool:
        """True if a new event is held instead of sent."""
        return not self.enabled or self.is_draining

    def wants(self, kind: str) -> bool:
        return is_wanted(self.event_types, kind)


def shown_url(url: str, origin: str, form: Format) -> str:
    """The address as it is shown: the path of Slack's is the secret."""
    return f"{origin}/***" if form == "slack" else url


class Subscription(Frozen, frozen=True, kw_only=True):
    """The event types that an endpoint wants after an event number, until its next subscription."""

    endpoint_id: str
    after_seq: int
    event_types: Patterns | None
    """None: the usual types; (): nothing."""


@lru_cache(maxsize=1024)
def wanted_types(patterns: Patterns | None) -> frozenset[str]:
    """Our types that an endpoint with these patterns gets; own types are no closed set.

    Raises:
        ValueError: a pattern means no type.
    """
    if patterns is None:
        return USUAL
    ours, _ = split(patterns)
    types = types_of(ours)
    # `*` is all of a project: the whole installation concerns those alone that name it.
    is_operator = any(pattern.startswith("ops.") for pattern in patterns)
    return types if is_operator else types - ABOUT_OPERATIONS


def is_wanted(patterns: Patterns | None, kind: str) -> bool:
    """True if an endpoint with these patterns gets events of this type."""
    if kind in FACTS:
        return kind in wanted_types(patterns)
    return is_own_wanted(patterns, kind)


class Directory:
    """All endpoints that were not deleted; the cost of a change does not grow with their number.

    A batch changes a draft above the committed directory: a failed batch leaves no trace.
    """

    def __init__(
        self, endpoints: Iterable[Endpoint] = (), *, below: "Directory | None" = None
    ) -> None:
        self._below: Final = below
        self._changed: Final[dict[str, Endpoint | None]] = {}
        """By id; None: deleted."""
        self._explicit: Final[dict[Owner, dict[str, Endpoint]]] = {}
        """The explicit endpoints of each owner, for those with a change."""
        for endpoint in endpoints:
            self.put(endpoint)

    def draft(self) -> "Directory":
        return Directory(below=self)

    def committed(self) -> "Directory":
        """Applies a draft to the directory below it, and returns that."""
        if self._below is None:
            return self
        self._below.take(self._changed, self._explicit)
        return self._below

    def put(self, endpoint: Endpoint) -> None:
        self._changed[endpoint.id] = endpoint
        if not endpoint.implicit:
            self._own(endpoint)[endpoint.id] = endpoint

    def remove(self, endpoint: Endpoint) -> None:
        self._changed[endpoint.id] = None
        if not endpoint.implicit:
            self._own(endpoint).pop(endpoint.id, None)

    def find(self, endpoint_id: str) -> Endpoint | None:
        if endpoint_id in self._changed or self._below is None:
            return self._changed.get(endpoint_id)
        return self._below.find(endpoint_id)

    def recipients(self, project: str, callback: str | None) -> tuple[Endpoint, ...]:
        """Endpoints for a task's events: its project's, and the implicit one of its callback."""
        explicit = tuple(self.explicit_of(project).values())
        implicit = None if callback is None else self.find(callback)
        return explicit if implicit is None else (*explicit, implicit)

    def recipients_of_own(self, project: str, customer: str | None) -> tuple[Endpoint, ...]:
        """Endpoints for an own event: its project's, and those of its customer."""
        explicit = tuple(self.explicit_of(project).values())
        if customer is None:
            return explicit
        return (*explicit, *self.explicit_of(project, customer).values())

    def others(self, endpoint: Endpoint) -> tuple[Endpoint, ...]:
        """Endpoints for this endpoint's events: the others of its project."""
        explicit = self.explicit_of(endpoint.project).values()
        return tuple(other for other in explicit if other.id != endpoint.id)

    def explicit(self) -> tuple[Endpoint, ...]:
        """The explicit endpoints of all projects, but those of customers."""
        found = self._all().values()
        return tuple(each for each in found if not each.implicit and each.customer is None)

    def _all(self) -> dict[str, Endpoint]:
        found = {} if self._below is None else self._below._all()  # noqa: SLF001 - the same class
        for endpoint_id, endpoint in self._changed.items():
            if endpoint is None:
                found.pop(endpoint_id, None)
            else:
                found[endpoint_id] = endpoint
        return found

    def explicit_of(self, project: str, customer: str | None = None) -> Mapping[str, Endpoint]:
        """The explicit endpoints of a project, or of one of its customers, by id."""
        own = self._explicit.get((project, customer))
        if own is not None:
            return own
        return {} if self._below is None else self._below.explicit_of(project, customer)

    def _own(self, endpoint: Endpoint) -> dict[str, Endpoint]:
        owner = (endpoint.project, endpoint.customer)
        if owner not in self._explicit:
            self._explicit[owner] = dict(self.explicit_of(*owner))
        return self._explicit[owner]

    def take(
        self,
        changed: Mapping[str, Endpoint | None],
        explicit: Mapping[Owner, dict[str, Endpoint]],
    ) -> None:
        """Takes the changes of a committed draft."""
        self._explicit.update(explicit)
        for endpoint_id, endpoint in changed.items():
            if endpoint is None and self._below is None:
                self._changed.pop(endpoint_id, None)
            else:
                self._changed[endpoint_id] = endpoint


_OURS: Final = re.compile(
    r"host|connection|content-.*|transfer-encoding|te|trailer|upgrade|keep-alive|expect"
    r"|webhook-.*|slipgate-.*|traceparent",
    re.IGNORECASE,
)
"""Headers of HTTP itself and of the signature."""


def check_headers(names: Iterable[str]) -> None:
    """Checks the names of custom headers.

    Raises:
        ApiError: `invalid_request`, naming reserved and repeated ones.
    """
    seen: set[str] = set()
    errors = []
    for name in names:
        if _OURS.fullmatch(name):
            errors.append(FieldError(path=f"$.headers.{name}", message="slipgate sets it itself"))
        if name.lower() in seen:
            errors.append(FieldError(path=f"$.headers.{name}", message="Expected it once"))
        seen.add(name.lower())
    if errors:
        raise ApiError(
            "invalid_request", f"{errors[0].path}: {errors[0].message}.", errors=tuple(errors)
        )


SECRET_BYTES: Final = 32
MOST_OF_CUSTOMER: Final = 50
"""Endpoints of one customer."""
MOST_LIVE: Final = 10
"""Each live secret makes the signature header longer."""


class SigningSecret(Frozen, frozen=True, kw_only=True):
    """A signing secret without its value; times in milliseconds."""

    id: str
    """The `keyId` of delivery attempts."""
    project: str
    endpoint_id: str | None
    """None: it signs the callbacks of the project."""
    created_at: int
    expires_at: int | None = None
    """None for the newest secret."""
