"""Bounds on open requests and their rate, so that no key, project or attempt starves the others."""

import math
import time
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from gateway.domain.kernel.errors import ApiError, Unavailable
from gateway.domain.operations.api_key import ApiKey
from gateway.domain.operations.rate_limit import Pace, RateLimit, pace_of

BUSY_SECONDS: Final = 2
"""Retry-After of a request that was refused for open ones."""
RESERVED: Final = 16
"""One in 16 places is kept for projects that have few requests open."""
PER_ATTEMPT: Final = 32
"""An agent sends one event after the other."""
_PLACES: Final = "places"
_HINT: Final = "Close some, or follow one stream instead of many polls; then try again."

State = MutableMapping[str, Any]
"""The `state` of a request's scope."""


def holder_of(state: State) -> str:
    """The key, project of readers or attempt that a request counts for; empty: none."""
    return next(iter(state.get(_PLACES, ())), "")


class Admission:
    """Counts open requests by key, by project and in all, and the rate of keys that have one.

    A request counts from its authorization to the end of its answer; before that, `Connections`
    bounds it.
    """

    def __init__(self, *, most: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._per_holder = max(1, most // 4)
        self._per_project = max(1, most // 2)
        self._reserved = most // RESERVED
        self._monotonic = monotonic
        self._total = 0
        self._open: dict[str, int] = {}
        self._due: dict[str, float] = {}
        """Time of the next request at the even rate, by key."""

    def enter(self, state: State, key: ApiKey) -> None:
        """Counts a request with a key, once; refuses it above a bound."""
        if _PLACES in state:
            return
        limit = key.rate_limit
        if limit.requests_per_second is not None:
            self._check_pace(state, key.id, limit, limit.requests_per_second)
        project = "*" if key.scope == "ops" else key.project
        self._take(state, key.id, f"project:{project}", limit.concurrent or self._per_holder)

    def enter_reader(self, state: State, project: str) -> None:
        """Counts a request with a stream token of a task of the project, or refuses it."""
        self._take(state, f"readers:{project}", f"project:{project}", self._per_holder)

    def enter_attempt(self, state: State, task_id: str) -> None:
        """Counts an authentic request of an attempt, once, or refuses it."""
        if _PLACES in state:
            return
        holder = f"attempt:{task_id}"
        self._check(holder, PER_ATTEMPT, "This attempt")
        self._count(state, (holder,))

    def leave(self, state: State) -> None:
        for holder in state.get(_PLACES, ()):
            left = self._open[holder] - 1
            if left:
                self._open[holder] = left
            else:
                del self._open[holder]
            self._total -= holder.startswith("project:")

    def _take(self, state: State, holder: str, project: str, most: int) -> None:
        if self._total >= self._most and self._open.get(project, 0) >= self._reserved:
            raise Unavailable("Too many requests are open at once.", retry_after=BUSY_SECONDS)
        self._check(holder, most, "This key")
        self._check(project, self._per_project, "This project")
        self._count(state, (holder, project))
        self._total += 1

    def _count(self, state: State, holders: tuple[str, ...]) -> None:
        for holder in holders:
            self._open[holder] = self._open.get(holder, 0) + 1
        state[_PLACES] = holders

    def _check(self, holder: str, most: int, shown: str) -> None:
        if self._open.get(holder, 0) >= most:
            raise ApiError(
                "too_many_open",
                f"{shown} has {most} requests open, which is all it may have.",
                hint=_HINT,
                retry_after=BUSY_SECONDS,
            )

    def _check_pace(self, state: State, key_id: str, limit: RateLimit, rate: float) -> None:
        pace = pace_of(limit, rate, self._due.get(key_id, 0.0), self._monotonic())
        self._due[key_id] = pace.due_at
        if not pace.is_within:
            state["added_headers"] = _headers(limit, rate, pace)
            raise ApiError(
                "rate_limited",
                f"This key may send {rate:g} requests a second, {limit.most_at_once} at once.",
                hint="Send the same request again after Retry-After.",
                retry_after=max(1, math.ceil(pace.retry_in)),
            )


def _headers(limit: RateLimit, rate: float, pace: Pace) -> list[tuple[bytes, bytes]]:
    """Source: draft-ietf-httpapi-ratelimit-headers-06."""
    most = limit.most_at_once
    return [
        (b"ratelimit-limit", b"%d" % most),
        (b"ratelimit-remaining", b"%d" % pace.remaining),
        (b"ratelimit-reset", b"%d" % math.ceil(pace.resets_in)),
        (b"ratelimit-policy", b"%d;w=%d" % (most, max(1, math.ceil(most / rate)))),
    ]
