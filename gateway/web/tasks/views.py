"""Tasks and events as they are shown."""

import msgspec

from gateway.domain.kernel.ids import event_id
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import PUBLIC_CLOCK, Sandbox, Task, TaskError
from gateway.store.records import FeedEvent
from gateway.web.convert import convert
from gateway.wire import tasks as wire
from gateway.wire.times import maybe_rfc3339, rfc3339


def task_view(task: Task, spec: Spec) -> wire.TaskView:
    """A task as every route shows it."""
    # Field by field: by name it takes 12 µs, twice as long, at every creation of a task.
    return wire.TaskView(
        id=task.id,
        project=task.project,
        status=task.status,
        flag=convert(wire.FlagView, task.flag) if task.flag else None,
        attempt=task.attempt,
        max_attempts=task.max_attempts,
        title=spec.title,
        repo_url=spec.repo_url,
        continue_of=spec.continues.task_id if spec.continues else None,
        base_branch=spec.base_branch,
        branch_name=spec.branch_name,
        prompt=spec.prompt,
        agent=msgspec.convert(spec.agent, wire.AgentView, from_attributes=True),
        snapshot=task.snapshot,
        provider=task.provider,
        sandbox=sandbox_view(task.sandbox),
        stage=task.stage,
        message=task.message,
        pr_url=task.pr_url,
        commit_sha=task.commit_sha,
        error=error_view(task.error),
        usage=msgspec.convert(task.usage, wire.UsageView, from_attributes=True),
        warnings=task.warnings,
        cancel_requested_at=maybe_rfc3339(task.cancel_requested_at),
        created_at=rfc3339(task.created_at),
        started_at=maybe_rfc3339(task.started_at),
        finished_at=maybe_rfc3339(task.finished_at),
        updated_at=rfc3339(task.updated_at),
        purged_at=maybe_rfc3339(task.purged_at),
        next_deadline=deadline_view(task),
        task_seq=task.seq,
        metadata=spec.metadata,
    )


def event_view(event: Event) -> wire.EventView:
    """One entry of the history; of no task, it names none."""
    is_of_task = event.is_of_task
    own = event if isinstance(event, FeedEvent) and event.is_own else None
    return wire.EventView(
        id=event_id(event.at, event.seq),
        seq=event.seq,
        task_id=event.task_id if is_of_task else None,
        task_seq=event.task_seq if is_of_task else None,
        attempt=event.attempt if is_of_task else None,
        type=event.type,
        at=rfc3339(event.at),
        applied=event.applied,
        reason=event.reason,
        source=event.source,
        actor=event.actor or (None if event.source == "api" else event.source),
        data=msgspec.Raw(event.data),
        customer=own.customer if own else msgspec.UNSET,
        event_id=own.event_id if own else msgspec.UNSET,
    )


def sandbox_view(sandbox: Sandbox | None) -> wire.SandboxView | None:
    return None if sandbox is None else convert(wire.SandboxView, sandbox)


def error_view(error: TaskError | None) -> wire.ErrorView | None:
    return None if error is None else convert(wire.ErrorView, error)


def deadline_view(task: Task) -> wire.DeadlineView | None:
    """The next clock of the task that comes due."""
    earliest = task.clocks.next()
    if earliest is None:
        return None
    at, name = earliest
    return wire.DeadlineView(at=rfc3339(at), what=PUBLIC_CLOCK.get(name, name))
