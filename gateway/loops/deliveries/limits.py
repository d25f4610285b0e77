"""How many attempts may be under way: in all, for a project, and to an endpoint."""

from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.loops.deliveries.limiter import EndpointLimiter

PARALLEL: Final = 256
"""Attempts in flight. A project may have as many as are left: alone it gets half of them, the next
one half of the rest, and whoever comes later finds some free."""
FIRST_TRIALS: Final = 16
"""Initial concurrency of a project to endpoints that have not answered well (slow start)."""
LEAST_TRIALS: Final = 8
"""It never gets less, however many of them hang."""
SLOW: Final = 2_000
"""Milliseconds after which a failed attempt has kept its slot from others for long."""
MANY: Final = 10_000
"""Above this many limiters of endpoints, those that remember nothing are dropped."""


class _Share(msgspec.Struct, kw_only=True):
    """What a project has under way."""

    in_flight: int = 0
    on_trial: int = 0
    """To endpoints whose last answer, if there was one, was not a good one."""
    trials: int = FIRST_TRIALS
    """How many of those it may have."""


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """The right to one attempt."""

    project: str
    endpoint_id: str
    is_trial: bool


class Limits:
    """Every limit on attempts; `available` is the one answer to "may one more start?"."""

    def __init__(self, *, many: int = MANY) -> None:
        self._many = many
        self._endpoints: dict[str, EndpointLimiter] = {}
        self._shares: Final[dict[str, _Share]] = {}
        self._in_flight = 0

    def endpoint(self, endpoint_id: str) -> EndpointLimiter:
        """The limiter of an endpoint."""
        limiter = self._endpoints.get(endpoint_id)
        if limiter is None:
            limiter = self._endpoints[endpoint_id] = EndpointLimiter()
        return limiter

    def is_proven(self, endpoint_id: str) -> bool:
        """Whether the last answer of an endpoint, if there was one, was a good one."""
        limiter = self._endpoints.get(endpoint_id)
        return limiter is not None and limiter.is_proven

    def available(self, project: str, endpoint_id: str, now: int) -> int:
        """How many more attempts to the endpoint may start now."""
        limiter = self.endpoint(endpoint_id)
        return min(limiter.available(now), self.left(project, is_proven=limiter.is_proven))

    def left(self, project: str, *, is_proven: bool) -> int:
        """How many more attempts of the project may start now, to endpoints that are proven or to
        others."""
        share = self._shares.get(project) or _Share()
        left = PARALLEL - self._in_flight - share.in_flight
        return left if is_proven else min(left, share.trials - share.on_trial)

    def start(self, project: str, endpoint_id: str, now: int, rate: float | None) -> Slot:
        """One more sets off; `rate` per second, None: its endpoint names none."""
        limiter, share = self.endpoint(endpoint_id), self._share(project)
        slot = Slot(project=project, endpoint_id=endpoint_id, is_trial=not limiter.is_proven)
        limiter.start(now, rate)
        self._in_flight += 1
        share.in_flight += 1
        share.on_trial += slot.is_trial
        return slot

    def finish(self, slot: Slot) -> None:
        """It has landed."""
        share = self._share(slot.project)
        self.endpoint(slot.endpoint_id).in_flight -= 1
        self._in_flight -= 1
        share.in_flight -= 1
        share.on_trial -= slot.is_trial

    def weigh(self, project: str, duration_ms: int, *, is_success: bool) -> None:
        """What ends soon makes room for one more on trial; what hangs halves it."""
        share = self._share(project)
        if is_success or duration_ms < SLOW:
            share.trials = min(PARALLEL, share.trials + 1)
        else:
            share.trials = max(LEAST_TRIALS, share.trials // 2)

    def open_breakers(self) -> list[str]:
        """The endpoints whose breaker is open, or half open."""
        return [name for name, limiter in self._endpoints.items() if limiter.breaker_open]

    def forget(self, now: int) -> None:
        """Drops what remembers nothing, if there is much of it."""
        if len(self._endpoints) > self._many:
            kept: Iterable[tuple[str, EndpointLimiter]] = self._endpoints.items()
            self._endpoints = {name: each for name, each in kept if not each.is_idle(now)}

    def _share(self, project: str) -> _Share:
        return self._shares.setdefault(project, _Share())
