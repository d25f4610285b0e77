"""Tasks and events as they are shown."""

import msgspec

from gateway.domain.kernel.ids import event_id
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import (
    PUBLIC_CLOCK,
    Sandbox,
    Task,
    TaskError,
    Usage,
)
from gateway.wire import tasks as wire
from gateway.wire.times import maybe_rfc3339, rfc3339


def task_view(task: Task, spec: Spec) -> wire.TaskView:
    """A task as every route shows it."""
    return wire.TaskView(
        id=task.id,
        project=task.project,
        status=task.status,
        flag=_flag(task),
        attempt=task.attempt,
        max_attempts=task.max_attempts,
        title=spec.title,
        repo_url=spec.repo_url,
        base_branch=spec.base_branch,
        branch_name=spec.branch_name,
        prompt=spec.prompt,
        agent=_agent(spec),
        snapshot=task.snapshot,
        provider=task.provider,
        sandbox=sandbox_view(task.sandbox),
        stage=task.stage,
        message=task.message,
        pr_url=task.pr_url,
        commit_sha=task.commit_sha,
        error=error_view(task.error),
        usage=usage_view(task.usage),
        warnings=task.warnings,
        cancel_requested_at=maybe_rfc3339(task.cancel_requested_at),
        created_at=rfc3339(task.created_at),
        started_at=maybe_rfc3339(task.started_at),
        finished_at=maybe_rfc3339(task.finished_at),
        updated_at=rfc3339(task.updated_at),
        next_deadline=deadline_view(task),
        task_seq=task.seq,
        metadata=spec.metadata,
    )


def event_view(event: Event) -> wire.EventView:
    """One entry of the history."""
    is_of_task = not event.is_about_endpoint
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
        data=msgspec.Raw(event.data),
    )


def _flag(task: Task) -> wire.FlagView | None:
    flag = task.flag
    if flag is None:
        return None
    return wire.FlagView(code=flag.code, since=rfc3339(flag.since), detail=flag.detail)


def _agent(spec: Spec) -> wire.AgentView:
    agent = spec.agent
    return wire.AgentView(
        engine=agent.engine,
        model_provider=agent.model_provider,
        model=agent.model,
        max_turns=agent.max_turns,
        max_cost_usd=agent.max_cost_usd,
        command=agent.command,
    )


def sandbox_view(sandbox: Sandbox | None) -> wire.SandboxView | None:
    """Where an attempt runs."""
    if sandbox is None:
        return None
    return wire.SandboxView(
        id=sandbox.id,
        name=sandbox.name,
        provider=sandbox.provider,
        snapshot=sandbox.snapshot,
        state=sandbox.state,
    )


def error_view(error: TaskError | None) -> wire.ErrorView | None:
    """Why a task or an attempt ended badly."""
    if error is None:
        return None
    return wire.ErrorView(
        stage=error.stage, code=error.code, message=error.message, retryable=error.retryable
    )


def usage_view(usage: Usage) -> wire.UsageView:
    """Totals of an attempt so far."""
    return wire.UsageView(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=usage.cost_usd,
        turns=usage.turns,
    )


def deadline_view(task: Task) -> wire.DeadlineView | None:
    """The next clock of the task that comes due."""
    earliest = task.clocks.next()
    if earliest is None:
        return None
    at, name = earliest
    return wire.DeadlineView(at=rfc3339(at), what=PUBLIC_CLOCK.get(name, name))
