"""Limits on attempts in flight: in all, for a project, and to an endpoint.

`admit` is the one answer to "may one more start?".
"""

from collections.abc import Callable
from typing import Final

import msgspec

from gateway.domain.operations.switches import Switches
from gateway.loops.deliveries.limiter import EndpointLimiter
from gateway.loops.deliveries.wait_queue import WaitQueue
from gateway.store.records import Head

PARALLEL: Final = 512
"""Attempts in flight. A project may have as many as are left: alone it gets half of them, the next
one half of the rest, and a project that comes later finds some free."""
FIRST_UNPROVEN: Final = 16
"""Initial concurrency of a project to endpoints that have not answered well (slow start)."""
LEAST_UNPROVEN: Final = 8
"""A project never gets less, however many of its endpoints hang."""
USUAL_PER_ENDPOINT: Final = 8
"""Attempts in flight to one endpoint; more of them are extra."""
MOST_EXTRA: Final = 24
"""Extra attempts of a project in flight: one busy endpoint has them, and many that begin to hang at
once do not use up every slot."""
SLOW: Final = 2_000
"""Milliseconds after which a failed attempt has kept its slot from others for long."""
MANY: Final = 10_000
"""Above this many limiters, drop the idle ones."""


class _Share(msgspec.Struct, kw_only=True):
    """Attempts of a project in flight; `unproven` of them go to unproven endpoints."""

    in_flight: int = 0
    unproven: int = 0
    most_unproven: int = FIRST_UNPROVEN
    extra: int = 0


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """The right to one attempt."""

    project: str
    endpoint_id: str
    is_unproven: bool


class Limits:
    """The limiter of each endpoint, the share of each project, and the limit of all."""

    def __init__(self, *, many: int = MANY) -> None:
        self._many = many
        self._endpoints: dict[str, EndpointLimiter] = {}
        self._shares: Final[dict[str, _Share]] = {}
        self._in_flight = 0
        self.switches: Switches | None = None
        """None: not read yet."""

    def is_paused(self, project: str, now: int) -> bool:
        """True while ops hold the deliveries of the project."""
        switches = self.switches
        return switches is not None and switches.pause("delivering", project, now) is not None

    def endpoint(self, endpoint_id: str) -> EndpointLimiter:
        """The limiter of an endpoint."""
        limiter = self._endpoints.get(endpoint_id)
        if limiter is None:
            limiter = self._endpoints[endpoint_id] = EndpointLimiter()
        return limiter

    def knows(self, endpoint_id: str) -> bool:
        """True if the endpoint has a limiter."""
        return endpoint_id in self._endpoints

    def drop(self, is_kept: Callable[[str], bool]) -> None:
        """Drop the limiters of endpoints that are another gateway's now."""
        kept = self._endpoints.items()
        self._endpoints = {name: it for name, it in kept if it.in_flight or is_kept(name)}

    def is_proven(self, endpoint_id: str) -> bool:
        """True if the last answer of the endpoint was a success."""
        limiter = self._endpoints.get(endpoint_id)
        return limiter is not None and limiter.is_proven

    def left(self, project: str, *, is_proven: bool) -> int:
        """The attempts of the project that may start, to proven endpoints or to others."""
        share = self._shares.get(project) or _Share()
        left = PARALLEL - self._in_flight - share.in_flight
        return left if is_proven else min(left, share.most_unproven - share.unproven)

    def admit(self, head: Head, now: int) -> Slot | WaitQueue | None:
        """A slot; a place in the wait queue of a fast endpoint that has no slot left; or None."""
        limiter = self.endpoint(head.endpoint_id)
        if not limiter.has_place(now) or self.is_paused(head.project, now):
            return None
        if self.available(head, now) > len(limiter.queue):
            return self.start(head, now)
        return limiter.queue.enter() if limiter.is_fast else None

    def available(self, head: Head, now: int) -> int:
        """The number of attempts to the endpoint that may start now."""
        return self._available(head.project, self.endpoint(head.endpoint_id), now)

    def start(self, head: Head, now: int) -> Slot:
        """Count one more attempt in flight."""
        limiter, share = self.endpoint(head.endpoint_id), self._share(head.project)
        slot = Slot(
            project=head.project,
            endpoint_id=head.endpoint_id,
            is_unproven=not limiter.is_proven,
        )
        limiter.start(now, head.rate_per_second)
        self._in_flight += 1
        share.in_flight += 1
        share.unproven += slot.is_unproven
        share.extra += limiter.in_flight > USUAL_PER_ENDPOINT
        return slot

    def finish(self, slot: Slot) -> None:
        """Count one attempt less."""
        limiter, share = self.endpoint(slot.endpoint_id), self._share(slot.project)
        share.extra -= limiter.in_flight > USUAL_PER_ENDPOINT
        limiter.in_flight -= 1
        self._in_flight -= 1
        share.in_flight -= 1
        share.unproven -= slot.is_unproven

    def call_next(self, slot: Slot, now: int) -> bool:
        """Call the next delivery that waits for the endpoint, unless it would take the last slot of
        its project."""
        limiter = self.endpoint(slot.endpoint_id)
        left = self.left(slot.project, is_proven=limiter.is_proven)
        is_available = self._available(slot.project, limiter, now) > 0
        return left > 1 and is_available and limiter.queue.call()

    def opens_at(self, project: str, endpoint_id: str, now: int) -> int | None:
        """The time at which one more may start; None if one in flight has to end before."""
        limiter = self.endpoint(endpoint_id)
        return limiter.opens_at(now) if self._share_of_endpoint(project, limiter) > 0 else None

    def record(self, project: str, duration_ms: int, *, is_success: bool) -> None:
        """An attempt that ends soon allows one more to unproven endpoints; a slow failure halves
        them."""
        share = self._share(project)
        if is_success or duration_ms < SLOW:
            share.most_unproven = min(PARALLEL, share.most_unproven + 1)
        else:
            share.most_unproven = max(LEAST_UNPROVEN, share.most_unproven // 2)

    def open_breakers(self) -> list[str]:
        """The endpoints whose breaker is open, or half open."""
        return [name for name, limiter in self._endpoints.items() if limiter.breaker_open]

    def drop_idle(self, now: int) -> None:
        """Drop the limiters that remember nothing, if there are many."""
        if len(self._endpoints) > self._many:
            kept = self._endpoints.items()
            self._endpoints = {name: each for name, each in kept if not each.is_idle(now)}

    def _available(self, project: str, limiter: EndpointLimiter, now: int) -> int:
        if self.is_paused(project, now):
            return 0
        left = self.left(project, is_proven=limiter.is_proven)
        return min(limiter.available(now), left, self._share_of_endpoint(project, limiter))

    def _share_of_endpoint(self, project: str, limiter: EndpointLimiter) -> int:
        usual = max(0, USUAL_PER_ENDPOINT - limiter.in_flight)
        return usual + MOST_EXTRA - self._share(project).extra

    def _share(self, project: str) -> _Share:
        return self._shares.setdefault(project, _Share())
