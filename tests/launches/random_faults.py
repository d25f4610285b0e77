"""Seeded faults of calls to Daytona: a run can be repeated."""

from dataclasses import replace
from random import Random
from typing import Final

from tests.daytona.faults import Fault
from tests.daytona.organisation import Organisation

FAULTS: Final = (
    Fault(kind="refused"),
    Fault(kind="lost"),
    Fault(kind="hang", seconds=1.0),
    Fault(kind="slow", seconds=0.3),
    Fault(kind="html"),
    Fault(kind="garbage"),
    Fault(kind="partial"),
    Fault(kind="status", status=500),
    Fault(kind="status", status=503),
    Fault(kind="status", status=429, message="ThrottlerException: Too Many Requests"),
    Fault(kind="status", status=409, message="Sandbox state change in progress"),
    Fault(kind="status", status=400, message="Total CPU limit exceeded. Maximum allowed: 10."),
)
LAUNCH: Final = "POST /sandbox"


class RandomFaults:
    """A share of all calls fails; a few creates ignore the snapshot or never start."""

    def __init__(self, organisation: Organisation, *, seed: int, share: float) -> None:
        self._organisation = organisation
        self._random = Random(seed)
        self._share = share

    def stop(self) -> None:
        """Ends all faults."""
        self._share = 0.0

    def __call__(self, call: str) -> Fault | None:
        """The fault of a call."""
        if call == LAUNCH:
            habits = self._organisation.habits
            self._organisation.habits = replace(
                habits,
                ignores_snapshot=self._happens(self._share / 4),
                fails_to_start="no runner" if self._happens(self._share / 4) else None,
            )
        return self._random.choice(FAULTS) if self._happens(self._share) else None

    def _happens(self, share: float) -> bool:
        return self._random.random() < share
