"""Tasks and events as they are shown."""

import msgspec

from gateway.domain.kernel.ids import event_id
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import PUBLIC_CLOCK, Sandbox, Task, TaskError
from gateway.web.convert import convert
from gateway.wire import tasks as wire
from gateway.wire.times import rfc3339


def task_view(task: Task, spec: Spec) -> wire.TaskView:
    """A task as every route shows it."""
    return convert(
        wire.TaskView,
        task,
        flag=convert(wire.FlagView, task.flag) if task.flag else None,
        title=spec.title,
        repo_url=spec.repo_url,
        base_branch=spec.base_branch,
        branch_name=spec.branch_name,
        prompt=spec.prompt,
        agent=convert(wire.AgentView, spec.agent),
        sandbox=sandbox_view(task.sandbox),
        error=error_view(task.error),
        usage=convert(wire.UsageView, task.usage),
        next_deadline=deadline_view(task),
        task_seq=task.seq,
        metadata=spec.metadata,
    )


def event_view(event: Event) -> wire.EventView:
    """One entry of the history; about an endpoint, it names no task."""
    of_no_task = {"task_id": None, "task_seq": None, "attempt": None}
    return convert(
        wire.EventView,
        event,
        id=event_id(event.at, event.seq),
        data=msgspec.Raw(event.data),
        **(of_no_task if event.is_about_endpoint else {}),
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
