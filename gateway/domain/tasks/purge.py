"""The purge of an ended task: its contents go, the record of its states stays.

Rows and events are rewritten alike, so the row of the task remains the fold of its events.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from gateway.domain.kernel.answers import TaskReply
from gateway.domain.kernel.commands import PurgeTask
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import (
    AgentActivity,
    Ended,
    Event,
    Progress,
    PullRequest,
    Purged,
    Retried,
    Started,
    Trying,
    UsageTotals,
)
from gateway.domain.tasks.fold import PURGED, without_message
from gateway.domain.tasks.spec import Document, Spec
from gateway.domain.tasks.task import Task
from gateway.domain.tasks.task_change import TaskChange


def purge(unit: UnitOfWork, command: PurgeTask, now: int) -> TaskReply:
    """Removes prompt, `env`, log, patch and bodies of an ended task. Idempotent."""
    task = unit.tasks.get(command.task_id)
    if task is None:
        raise ApiError("not_found", "There is no such task.")
    if task.purged_at is not None:
        return TaskReply(task=task)
    change = TaskChange(unit, task, now)
    _check_over(change)
    unit.purges.purged.append(task.id)
    unit.purges.rewritten += map(emptied, unit.purges.events.get(task.id, ()))
    unit.secrets.erased.add(task.id)
    for number in range(1, task.attempt + 1):
        attempt = change.attempt_of(number)
        if attempt is not None:
            error = without_message(attempt.error)
            change.put_attempt(replace(attempt, error=error, patch=None, resumable=False))
    reason = command.cause.reason
    change.emit("task.purged", Purged(by=command.actor, reason=reason), source="api")
    unit.audit.emit("task.purged", task.id, task.project, reason=reason)
    return TaskReply(task=change.save())


def check_kept(task: Task) -> None:
    """Refuses a request that needs the contents of a purged task."""
    if task.purged_at is not None:
        raise ApiError(
            "task_purged",
            "The prompt, env, log, patch and bodies of the task were purged.",
            hint="Its states and events are kept: GET /v1/tasks/{id}/events.",
        )


def emptied(event: Event) -> Event:
    """The event with nothing but the fields that tell of states."""
    fact = event.fact
    rule = _RULES.get(type(fact))
    return event if rule is None else replace(event, data=msgspec.json.encode(rule(fact)))


def _check_over(change: TaskChange) -> None:
    task = change.task
    if not task.status.is_terminal:
        raise ApiError("not_finished", f"The task is {task.status}.", hint="Cancel it first.")
    left = change.living()
    if left:
        raise ApiError(
            "sandbox_alive",
            f"The sandbox of attempt {left[0].number} may be alive, and could send more.",
            hint="Wait until it is destroyed; one that is kept goes with `slipgate bulk destroy`.",
        )


def purged(fact: Spec) -> Spec:
    """The specification of a purged task."""
    earlier = fact.continues and replace(fact.continues, context="")
    agent = replace(fact.agent, command=None)
    return replace(fact, prompt="", title=PURGED, agent=agent, continues=earlier)


def _ended(fact: Ended) -> Ended:
    error = without_message(fact.error)
    return Ended(pr_url=fact.pr_url, commit_sha=fact.commit_sha, error=error)


def _retried(fact: Retried) -> Retried:
    return Retried(
        attempt=fact.attempt,
        launch=fact.launch,
        error=without_message(fact.error),
        by=fact.by,
        reason=fact.reason,
        bulk_id=fact.bulk_id,
    )


_RULES: Final[dict[type, Callable[[Any], Document]]] = {
    Spec: purged,
    Started: lambda fact: replace(fact, warnings=()),
    AgentActivity: lambda _: AgentActivity(),
    Progress: lambda fact: Progress(stage=fact.stage),
    UsageTotals: lambda fact: replace(fact, warnings=()),
    PullRequest: lambda fact: replace(fact, warnings=()),
    Ended: _ended,
    Retried: _retried,
    Trying: lambda fact: replace(fact, note=None),
}
"""Types of events that hold a text of a person, an agent or a provider."""
