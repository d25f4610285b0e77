"""The rule for alerts: an event when one begins, and one when it is over."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.read_set import Command, ReadSet
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.operations.alert import Alert, AlertType, alert_id
from gateway.domain.operations.status import Problem
from gateway.domain.tasks.event import AlertEventData
from gateway.wire.times import rfc3339

OF_PROBLEM: Final[Mapping[str, AlertType]] = {
    "disk_low": "ops.disk_low",
    "no_launcher": "ops.launcher_lost",
    "realm_missing": "ops.launcher_lost",
    "queue_old": "ops.queue_old",
    "provider_down": "ops.provider_down",
}
"""The alert of each problem that is one."""
SETTLED_AFTER: Final = 60_000
"""Time for which a problem must be there, or gone, before it is said (milliseconds): launchers need
it to call again after a restart of the gateway."""


class ChangeAlerts(Command, frozen=True, kw_only=True):
    """The alerts that have begun, with their causes, and those that are over."""

    begun: dict[AlertType, Problem]
    over: tuple[AlertType, ...]

    @property
    def needs(self) -> ReadSet:
        return ReadSet(alerts=True)


def causes(problems: Iterable[Problem]) -> dict[AlertType, Problem]:
    """The first problem of each alert."""
    found: dict[AlertType, Problem] = {}
    for problem in problems:
        kind = OF_PROBLEM.get(problem.code)
        if kind is not None:
            found.setdefault(kind, problem)
    return found


def change_alerts(unit: UnitOfWork, command: ChangeAlerts, now: int) -> Accepted:
    """Emits an event for each alert that changes; a known one is not repeated."""
    for kind, problem in command.begun.items():
        alert = unit.alerts.get(alert_id(kind))
        if alert is None or alert.since is None:
            _emit(unit, kind, _data("firing", problem.since, problem), problem.since, now)
    for kind in command.over:
        alert = unit.alerts.get(alert_id(kind))
        if alert is not None and alert.since is not None:
            _emit(unit, kind, _data("resolved", alert.since, None), None, now)
    return Accepted()


def _data(
    state: Literal["firing", "resolved"], since: int, problem: Problem | None
) -> AlertEventData:
    if problem is None:
        return AlertEventData(state=state, since=rfc3339(since), summary="it is over")
    return AlertEventData(
        state=state,
        since=rfc3339(since),
        count=problem.count,
        summary=problem.summary,
        example=problem.example,
        do=problem.do,
    )


def _emit(
    unit: UnitOfWork, kind: AlertType, data: AlertEventData, since: int | None, now: int
) -> None:
    name = alert_id(kind)
    before = unit.alerts.get(name)
    alert = Alert(id=name, seq=before.seq + 1 if before else 1, since=since)
    unit.alerts.put(alert)
    to = unit.outbox.directory.explicit()
    unit.emit(kind, alert.id, alert.seq, msgspec.json.encode(data), to, now=now)
