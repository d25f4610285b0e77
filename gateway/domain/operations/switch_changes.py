"""The rule for a change of switches: who paused or resumed what, and why, is kept."""

from collections.abc import Iterator

from msgspec.structs import replace

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.read_set import Command
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.provider_health import check_tasks
from gateway.domain.operations.switches import Pause, Switch


class SetSwitches(Command, frozen=True, kw_only=True):
    """`PUT /v1/switches`; `until` in milliseconds."""

    paused: tuple[Switch, ...]
    resumed: tuple[Switch, ...]
    project: str
    """Empty: all projects."""
    provider: str = ""
    """`name` or `name@realm`, for launching alone; empty: all."""
    until: int | None
    reason: str


class SwitchesReply(Answer, frozen=True, kw_only=True):
    """Everything that is paused after the command."""

    pauses: tuple[Pause, ...]


def set_switches(unit: UnitOfWork, command: SetSwitches, now: int) -> SwitchesReply:
    """Pauses and resumes; a pause that lasts already gets the new reason and end."""
    for switch in command.paused:
        known = next(_pauses_of(unit, switch, command, now), None)
        pause = Pause(
            switch=switch,
            project=command.project,
            provider=command.provider,
            since=known.since if known else now,
            until=command.until,
            reason=command.reason,
            actor=command.actor,
        )
        _put(unit, pause, now)
        _audit(unit, command, "switch.paused", switch)
    for switch in command.resumed:
        for known in list(_pauses_of(unit, switch, command, now)):
            reason = command.reason
            ended = replace(known, ended_at=now, ended_by=command.actor, end_reason=reason)
            _put(unit, ended, now)
            _audit(unit, command, "switch.resumed", switch)
    return SwitchesReply(pauses=tuple(p for p in unit.switches.values() if p.is_on(now)))


def _audit(unit: UnitOfWork, command: SetSwitches, action: str, switch: Switch) -> None:
    project = command.project or None
    unit.audit.emit(
        action,
        switch,
        project,
        reason=command.reason,
        until=command.until,
        provider=command.provider or None,
    )


def _put(unit: UnitOfWork, pause: Pause, now: int) -> None:
    unit.switches.put(pause)
    if pause.provider:
        check_tasks(unit, pause, now)


def _pauses_of(unit: UnitOfWork, switch: Switch, command: SetSwitches, now: int) -> Iterator[Pause]:
    """The pauses of exactly this project, or of all: the other ones are not touched. A provider
    without a realm means all of its realms, also those that the gateway has paused."""
    wanted = command.provider
    for pause in unit.switches.values():
        if (pause.switch, pause.project) != (switch, command.project) or not pause.is_on(now):
            continue
        is_part = command.resumed and wanted and pause.provider.startswith(f"{wanted}@")
        if pause.provider == wanted or is_part:
            yield pause
