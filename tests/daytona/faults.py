"""Faults between a launcher and Daytona, call by call."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "refused",  # the connection ends, nothing was done
    "lost",  # it was done, the answer never comes
    "hang",  # nothing is done, nothing comes until the caller gives up
    "late",  # it is done after the caller gave up
    "slow",  # it is done and answered, later
    "status",  # an answer of the API's own with this status
    "html",  # a proxy's page with this status
    "garbage",  # 200, and no JSON
    "partial",  # 200, and a field that is required is not there
]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault of one call."""

    kind: Kind
    status: int = 502
    message: str = "An unexpected error occurred."
    seconds: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()
    body: object = None
    """The document of a `status`; None: the API's form with `message`."""


class Faults:
    """Faults of calls: planned ones first, then those of `otherwise`."""

    def __init__(self, otherwise: Callable[[str], Fault | None] = lambda _call: None) -> None:
        self._planned: dict[str, deque[Fault | None]] = {}
        self.otherwise = otherwise
        self.calls: list[str] = []
        """Every call (`POST /sandbox` …), in order."""

    def plan(self, call: str, *faults: Fault | None) -> None:
        """Plans the faults of the next calls of this kind; None: no fault."""
        self._planned.setdefault(call, deque()).extend(faults)

    def next(self, call: str) -> Fault | None:
        """The fault of this call."""
        self.calls.append(call)
        planned = self._planned.get(call)
        return planned.popleft() if planned else self.otherwise(call)
