"""The loop that finds alerts: problems of the installation, from the facts of `GET /v1/status`."""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.read_set import Command
from gateway.domain.launching.realm import LIVE_FOR
from gateway.domain.operations.alert import Alert, AlertType, alert_id
from gateway.domain.operations.alert_changes import (
    OF_PROBLEM,
    SETTLED_AFTER,
    ChangeAlerts,
    causes,
)
from gateway.domain.operations.status import DiskState, Problem, StatusFacts, problems

EVERY: Final = 20.0
"""Seconds between two looks."""


class AlertReads(Protocol):
    """The reads of the loop."""

    async def status_facts(
        self, project: str | None, *, now: int, launchers_since: int
    ) -> StatusFacts:
        """The facts for the status of a project; None: of all."""

    async def alerts(self) -> dict[str, Alert]:
        """All alerts that there ever were, by id."""


class AlertWatch:
    """Says that a problem has begun or is over once it has been so for a minute."""

    name = "alerts"
    topics = ()

    def __init__(
        self,
        reads: AlertReads,
        submit: Callable[[Command], Awaitable[Answer]],
        clock: Callable[[], int],
        disk: Callable[[], DiskState],
    ) -> None:
        self._reads = reads
        self._submit = submit
        self._clock = clock
        self._disk = disk
        self._seen: dict[AlertType, tuple[bool, int]] = {}
        """True for each that is there, and since when (milliseconds)."""

    async def step(self) -> float:
        """Submits the alerts that change; returns the seconds to the next look."""
        now = self._clock()
        known = await self._reads.alerts()
        facts = await self._reads.status_facts(None, now=now, launchers_since=now - LIVE_FOR)
        found = causes(problems(facts, now, self._disk()))
        changed = [kind for kind in self._settled(found, now) if _differs(kind, found, known)]
        begun = {kind: found[kind] for kind in changed if kind in found}
        over = tuple(kind for kind in changed if kind not in found)
        if changed:
            await self._submit(ChangeAlerts(begun=begun, over=over))
        return EVERY

    def _settled(self, found: dict[AlertType, Problem], now: int) -> list[AlertType]:
        """The alerts that have been as they are for long enough."""
        settled = []
        for kind in dict.fromkeys(OF_PROBLEM.values()):
            is_there = kind in found
            before, since = self._seen.get(kind, (is_there, now))
            # A clock that was set back begins anew.
            if before != is_there or since > now:
                since = now
            self._seen[kind] = (is_there, since)
            if now - since >= SETTLED_AFTER:
                settled.append(kind)
        return settled


def _differs(kind: AlertType, found: dict[AlertType, Problem], known: dict[str, Alert]) -> bool:
    alert = known.get(alert_id(kind))
    is_known = alert is not None and alert.since is not None
    return is_known != (kind in found)
