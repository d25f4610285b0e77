"""What launchers tell unasked: a patch that they found in a sandbox, and processes that ended."""

from msgspec.structs import replace

from gateway.domain.agents.agent_events import lateness
from gateway.domain.agents.patch_pieces import keep_piece
from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.commands import ReportEnded, RescuePatch
from gateway.domain.kernel.read_set import SandboxKey
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.realm import serves
from gateway.domain.launching.reports import about, held
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import Attempt, Status
from gateway.domain.tasks.task_change import TaskChange


def rescue(view: UnitOfWork, command: RescuePatch, now: int) -> Accepted:
    """Keeps a piece of the patch that a launcher found, once; also after the task's end."""
    held(view, command, now)
    _, draft, attempt = about(view, command, now)
    if (command.task_id, command.attempt, command.name) in view.heard:
        return Accepted()
    event = _event(draft, attempt, command)
    late = lateness(draft, attempt)
    if late is not None:
        event = replace(event, applied=False, reason=late.code)
    keep_piece(draft, attempt, event, command.piece)
    draft.keep()
    return Accepted()


def processes_ended(view: UnitOfWork, command: ReportEnded, now: int) -> Accepted:
    """The agents of these sandboxes have ended: whoever runs is looked at, at once."""
    told = frozenset(command.sandboxes)
    for task in [*view.tasks.values()]:
        attempt = view.attempts.get((task.id, task.attempt))
        if not serves(command.project, task.project):
            continue
        if task.status is Status.RUNNING and attempt is not None and _key(attempt) in told:
            draft = TaskChange(view, task, now)
            draft.put_attempt(replace(attempt, exited_at=now))
            draft.open_job("inspect", attempt, not_before=now)
            draft.keep()
    return Accepted()


def _key(attempt: Attempt) -> SandboxKey | None:
    sandbox = attempt.sandbox
    if sandbox is None or attempt.is_gone:
        return None
    return (attempt.provider or "", attempt.realm or "", sandbox.name)


def _event(draft: TaskChange, attempt: Attempt, command: RescuePatch) -> Event:
    return Event(
        task_id=draft.task.id,
        task_seq=draft.task.seq + 1,
        attempt=attempt.number,
        type="task.patch",
        at=draft.now,
        source="launcher",
        data=command.data,
        webhook_id=command.name,
        body_hash=command.body_hash,
    )
