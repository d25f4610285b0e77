"""What launchers tell unasked: a patch that they found in a sandbox, and processes that ended."""

from msgspec.structs import replace

from gateway.domain.agents.agent_events import lateness
from gateway.domain.agents.patch_pieces import save_piece
from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.commands import ReportEnded, RescuePatch
from gateway.domain.kernel.read_set import SandboxKey
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.realm import serves
from gateway.domain.launching.reports import about, held
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import Attempt, Status
from gateway.domain.tasks.task_change import TaskChange


def rescue(unit: UnitOfWork, command: RescuePatch, now: int) -> Accepted:
    """Keeps a piece of the patch that a launcher found, once; also after the task's end."""
    held(unit, command, now)
    _, change, attempt = about(unit, command, now)
    if (command.task_id, command.attempt, command.name) in unit.heard:
        return Accepted()
    event = _event(change, attempt, command)
    late = lateness(change, attempt)
    if late is not None:
        event = replace(event, applied=False, reason=late.code)
    save_piece(change, attempt, event, command.piece)
    change.save()
    return Accepted()


def processes_ended(unit: UnitOfWork, command: ReportEnded, now: int) -> Accepted:
    """The agents of these sandboxes have ended: whoever runs is looked at, at once."""
    told = frozenset(command.sandboxes)
    for task in [*unit.tasks.values()]:
        attempt = unit.attempts.get((task.id, task.attempt))
        if not serves(command.project, task.project):
            continue
        if task.status is Status.RUNNING and attempt is not None and _key(attempt) in told:
            change = TaskChange(unit, task, now)
            change.put_attempt(replace(attempt, exited_at=now))
            change.open_job("inspect", attempt, not_before=now)
            change.save()
    return Accepted()


def _key(attempt: Attempt) -> SandboxKey | None:
    sandbox = attempt.sandbox
    if sandbox is None or attempt.is_gone:
        return None
    return (attempt.provider or "", attempt.realm or "", sandbox.name)


def _event(change: TaskChange, attempt: Attempt, command: RescuePatch) -> Event:
    return Event(
        task_id=change.task.id,
        task_seq=change.task.seq + 1,
        attempt=attempt.number,
        type="task.patch",
        at=change.now,
        source="launcher",
        data=command.data,
        webhook_id=command.name,
        body_hash=command.body_hash,
    )
