"""The fold: a task row is computed from its applied events alone.

Clocks and `claimable_at` are not folded: they lie in the future, and outages move them. Neither is
a concurrency key that the task has from its continuation.
"""

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from gateway.domain.agents.patch import once
from gateway.domain.tasks.event import (
    CancelRequested,
    Ended,
    Event,
    FlagCleared,
    FlagSet,
    Launched,
    Launching,
    Progress,
    PullRequest,
    Purged,
    Reported,
    Retried,
    SandboxReported,
    Trying,
    UsageTotals,
)
from gateway.domain.tasks.spec import Document, Spec
from gateway.domain.tasks.task import Flag, Status, Task, TaskError, Timeouts, Usage

ENDS: Final = {f"task.{status}": status for status in Status if status.is_terminal}
PURGED: Final = "(purged)"
"""In the place of a text that is gone."""
LASTING_FLAGS: Final = frozenset({"sandbox_unconfirmed", "realm_missing"})
"""Flags about a sandbox, which may outlive the attempt; the others end with it."""


def create(event: Event, spec: Spec | None = None) -> Task:
    """The task after `task.created`."""
    made = spec or event.fact
    if not isinstance(made, Spec):
        raise TypeError(f"a task begins with task.created, not {event.type}")
    return Task(
        id=event.task_id,
        project=made.project,
        status=Status.QUEUED,
        attempt=1,
        max_attempts=made.max_attempts,
        seq=event.task_seq,
        created_at=event.at,
        updated_at=event.at,
        timeouts=Timeouts(
            queue=made.timeouts.queue_seconds,
            heartbeat=made.timeouts.heartbeat_seconds,
            run=made.timeouts.run_seconds,
        ),
        on_stall=made.on_stall,
        priority=made.priority,
        snapshot=made.snapshot,
        provider=made.provider,
        concurrency_key=made.concurrency_key,
        keep_sandbox=made.keep_sandbox,
        endpoint_id=made.endpoint_id,
        follow_up_of=_follow_up_of(made),
        traceparent=made.traceparent,
    )


def _follow_up_of(spec: Spec) -> str | None:
    return spec.continues.pr_url if spec.continues and spec.continues.follow_up else None


def apply(task: Task, event: Event, fact: Document) -> Task:
    """The task after one applied event."""
    task = replace(task, seq=event.task_seq, updated_at=event.at)
    if event.source == "agent" and not isinstance(fact, Ended | Retried):
        task = _running(task, event)
    if isinstance(fact, Reported) and fact.warnings:
        task = replace(task, warnings=once((*task.warnings, *fact.warnings)))
    rule = _RULES.get(type(fact))
    return task if rule is None else rule(task, event, fact)


def _progress(task: Task, _event: Event, fact: Progress) -> Task:
    return replace(task, stage=fact.stage or task.stage, message=fact.message)


def _usage(task: Task, _event: Event, fact: UsageTotals) -> Task:
    return replace(task, usage=fact.usage())


def _pull_request(task: Task, _event: Event, fact: PullRequest) -> Task:
    sha = fact.commit_sha or task.commit_sha
    return replace(task, pr_url=fact.pr_url or task.pr_url, commit_sha=sha)


def _launching(task: Task, _event: Event, _fact: Launching) -> Task:
    return replace(task, status=Status.LAUNCHING)


def _launched(task: Task, event: Event, fact: Launched) -> Task:
    return replace(_running(task, event), sandbox=fact.sandbox or task.sandbox)


def _cancel(task: Task, event: Event, _fact: CancelRequested) -> Task:
    return replace(task, cancel_requested_at=event.at)


def _flag(task: Task, event: Event, fact: FlagSet | FlagCleared) -> Task:
    others = tuple(flag for flag in task.flags if flag.code != fact.code)
    if isinstance(fact, FlagCleared):
        return replace(task, flags=others)
    flag = Flag(code=fact.code, since=event.at, detail=fact.detail)
    return replace(task, flags=(*others, flag))


def _running(task: Task, event: Event) -> Task:
    if task.status not in {Status.QUEUED, Status.LAUNCHING}:
        return task
    return replace(task, status=Status.RUNNING, started_at=task.started_at or event.at)


def _end(task: Task, event: Event, fact: Ended) -> Task:
    status = ENDS[event.type]
    task = _running(task, event) if event.source == "agent" else task
    return replace(
        task,
        status=status,
        finished_at=event.at,
        pr_url=fact.pr_url or task.pr_url,
        commit_sha=fact.commit_sha or task.commit_sha,
        message=fact.summary or task.message,
        error=None if status is Status.CANCELLED else fact.error,
        flags=tuple(flag for flag in task.flags if flag.code in LASTING_FLAGS),
    )


def _retry(task: Task, _event: Event, fact: Retried) -> Task:
    if fact.attempt == task.attempt:
        return replace(task, status=Status.QUEUED)
    return replace(
        task,
        status=Status.QUEUED,
        attempt=fact.attempt,
        started_at=None,
        finished_at=None,
        cancel_requested_at=None,
        stage=None,
        message=None,
        pr_url=None,
        commit_sha=None,
        error=None,
        usage=Usage(),
        sandbox=None,
        flags=tuple(flag for flag in task.flags if flag.code in LASTING_FLAGS),
    )


def without_message(error: TaskError | None) -> TaskError | None:
    return None if error is None else replace(error, message=PURGED)


def _purge(task: Task, event: Event, _fact: Purged) -> Task:
    error = without_message(task.error)
    return replace(task, message=None, error=error, warnings=(), purged_at=event.at)


def _sandbox(task: Task, event: Event, fact: Trying | SandboxReported) -> Task:
    return replace(task, sandbox=fact.sandbox) if event.attempt == task.attempt else task


_RULES: Final[dict[type, Callable[[Task, Event, Any], Task]]] = {
    Launching: _launching,
    Launched: _launched,
    Progress: _progress,
    UsageTotals: _usage,
    PullRequest: _pull_request,
    Ended: _end,
    CancelRequested: _cancel,
    Retried: _retry,
    FlagSet: _flag,
    FlagCleared: _flag,
    Purged: _purge,
    Trying: _sandbox,
    SandboxReported: _sandbox,
}
