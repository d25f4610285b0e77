"""The rule for a change of switches: who paused or resumed what, and why, is kept."""

from msgspec.structs import replace

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.read_set import Command
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.operations.switches import Pause, Switch


class SetSwitches(Command, frozen=True, kw_only=True):
    """`PUT /v1/switches`; `until` in milliseconds."""

    paused: tuple[Switch, ...]
    resumed: tuple[Switch, ...]
    project: str
    """Empty: all projects."""
    until: int | None
    reason: str


class SwitchesReply(Answer, frozen=True, kw_only=True):
    """Everything that is paused after the command."""

    pauses: tuple[Pause, ...]


def set_switches(unit: UnitOfWork, command: SetSwitches, now: int) -> SwitchesReply:
    """Pauses and resumes; a pause that lasts already gets the new reason and end."""
    for switch in command.paused:
        known = _own(unit, switch, command.project, now)
        pause = Pause(
            switch=switch,
            project=command.project,
            since=known.since if known else now,
            until=command.until,
            reason=command.reason,
            actor=command.actor,
        )
        unit.switches.put(pause)
        _audit(unit, command, "switch.paused", switch)
    for switch in command.resumed:
        known = _own(unit, switch, command.project, now)
        if known is not None:
            unit.switches.put(
                replace(known, ended_at=now, ended_by=command.actor, end_reason=command.reason)
            )
            _audit(unit, command, "switch.resumed", switch)
    return SwitchesReply(pauses=tuple(p for p in unit.switches.values() if p.is_on(now)))


def _audit(unit: UnitOfWork, command: SetSwitches, action: str, switch: Switch) -> None:
    project = command.project or None
    unit.audit.emit(action, switch, project, reason=command.reason, until=command.until)


def _own(unit: UnitOfWork, switch: Switch, project: str, now: int) -> Pause | None:
    """The pause of exactly this project, or of all: the other one is not touched."""
    return next(
        (
            pause
            for pause in unit.switches.values()
            if (pause.switch, pause.project) == (switch, project) and pause.is_on(now)
        ),
        None,
    )
