"""The evidence: short lines, each with its source."""

from collections.abc import Iterator
from typing import Final

from gateway.domain.deliveries.delivery import DeliveryState
from gateway.domain.explain.explanation import ExplainInput, sandbox_realm
from gateway.domain.explain.formatting import SHORT, bare, count, second, short, tries
from gateway.domain.launching.job import Job
from gateway.domain.launching.realm import realm_text
from gateway.domain.tasks.event import (
    QUIET,
    Ended,
    Event,
    FlagCleared,
    FlagSet,
    Launched,
    Launching,
    Progress,
    PullRequest,
    Retried,
    SandboxReported,
    Trying,
    UsageTotals,
)
from gateway.domain.tasks.spec import Document, Spec
from gateway.domain.tasks.task import Attempt, Sandbox, Status, TaskError

EVENTS: Final = 6
"""Number of newest events shown."""
OF_EACH: Final = 5
"""Maximum number of launchers, of deliveries and of warnings shown."""
_LINE: Final = 2 * SHORT
"""Characters of a line with several names."""


def evidence(s: ExplainInput) -> tuple[str, ...]:
    """Attempts, jobs, flags, launchers, deliveries, and the newest events last."""
    taken = (each for each in (*s.older, s.attempt) if each is not None and each.launches)
    return (
        *(_attempt(s, attempt) for attempt in taken),
        *(_job(s, job) for job in s.jobs if job.is_open),
        *_flags(s),
        *(f"warning: {short(text, _LINE)}" for text in s.task.warnings[-OF_EACH:]),
        *_launchers(s),
        *_key(s),
        *(_delivery(s, delivery) for delivery in s.deliveries[-OF_EACH:]),
        *(_event(s, event) for event in _shown_events(s)),
    )


def _attempt(s: ExplainInput, attempt: Attempt) -> str:
    parts = [f"launched {count(attempt.launches, 'time')}"]
    if attempt.realm is not None:
        parts.append(f"at {sandbox_realm(attempt)}")
    if attempt.sandbox is not None:
        known = f" ({attempt.sandbox.id})" if attempt.sandbox.id else ""
        parts.append(f"sandbox {attempt.sandbox.name}{known} {attempt.sandbox.state}")
    if attempt.first_event_at is not None:
        parts.append(f"first event {second(attempt.first_event_at, s.now)}")
    if attempt.gone_at is not None:
        parts.append(f"sandbox gone {second(attempt.gone_at, s.now)}")
    if attempt.refused:
        parts.append(f"{count(attempt.refused, 'late event')} refused")
    return short(f"attempt {attempt.number}: {', '.join(parts)}", _LINE)


def _job(s: ExplainInput, job: Job) -> str:
    why = f", last failed with {job.error.code}: {bare(job.error.message)}" if job.error else ""
    return f"{_job_state(s, job)}{why}"


def _job_state(s: ExplainInput, job: Job) -> str:
    if job.is_held(s.now) and job.lease_expires_at is not None:
        how = "delegated" if job.is_delegated else "held"
        return f"job {job.id} {how} by {job.leased_by} until {second(job.lease_expires_at, s.now)}"
    if job.not_before > s.now:
        return f"job {job.id} offered from {second(job.not_before, s.now)} on"
    return f"job {job.id} offered, held by nobody"


def _flags(s: ExplainInput) -> Iterator[str]:
    for flag in s.task.flags:
        detail = f": {bare(flag.detail)}" if flag.detail else ""
        yield f"flag {flag.code} since {second(flag.since, s.now)}{detail}"


def _launchers(s: ExplainInput) -> Iterator[str]:
    """Launchers are shown only while one may work for the task."""
    if s.task.status is not Status.QUEUED and not any(job.is_open for job in s.jobs):
        return
    for call in (s.live or s.launchers[:1])[:OF_EACH]:
        serves = ", ".join(map(realm_text, call.providers))
        called = f"launcher {call.launcher_id} called {second(call.at, s.now)}"
        yield short(f"{called}, serves {serves}, room for {call.capacity}", _LINE)


def _key(s: ExplainInput) -> Iterator[str]:
    if s.task.status is Status.QUEUED and s.task.concurrency_key is not None:
        for holder in s.key_holders[:OF_EACH]:
            yield f"task {holder} holds concurrency key {short(s.task.concurrency_key)}"


def _delivery(s: ExplainInput, delivery: DeliveryState) -> str:
    state = "parked" if delivery.is_parked else delivery.status
    why = f", last {bare(delivery.reason)}" if delivery.reason else ""
    again = f", next {second(delivery.next_attempt_at, s.now)}" if delivery.next_attempt_at else ""
    whose = f"webhook of event {delivery.task_seq} to {delivery.endpoint_id}"
    return f"{whose}: {state}, {tries(delivery.attempts)}{why}{again}"


def _shown_events(s: ExplainInput) -> tuple[Event, ...]:
    """The newest events without quiet ones; the agent's last event is always shown."""
    last = s.agent_events[-1:]
    return tuple(event for event in s.events if event.type not in QUIET or event in last)[-EVENTS:]


def _event(s: ExplainInput, event: Event) -> str:
    refused = "" if event.applied else f" refused ({event.reason})"
    line = f"event {event.task_seq} {event.type} {second(event.at, s.now)}{refused}"
    words = describe(event.fact)
    return f"{line}: {words}" if words else line


def describe(fact: Document) -> str:
    """The data of an event in one line; empty if the type is sufficient."""
    return bare(_words(fact))


def _words(fact: Document) -> str:
    match fact:
        case Spec():
            return fact.title
        case Launching():
            return f"launch {fact.launch} by {fact.launcher_id}"
        case Trying():
            return _joined(f"try {fact.number}, {_sandbox(fact.sandbox)}", fact.note)
        case Launched() | SandboxReported():
            return _sandbox(fact.sandbox)
        case Progress():
            return _joined(fact.stage, fact.message)
        case UsageTotals():
            return f"{fact.turns} turns, {fact.cost_usd:.2f} USD"
        case PullRequest():
            return fact.pr_url or ""
        case Ended():
            return _error(fact.error) or fact.summary or fact.pr_url or ""
        case _:
            return _change_text(fact)


def _change_text(fact: Document) -> str:
    match fact:
        case Retried():
            return _joined(f"attempt {fact.attempt}, launch {fact.launch}", _error(fact.error))
        case FlagSet():
            return _joined(fact.code, fact.detail)
        case FlagCleared():
            return fact.code
        case _:
            return ""


def _sandbox(sandbox: Sandbox | None) -> str:
    if sandbox is None:
        return ""
    return f"{sandbox.name} {sandbox.state} at {sandbox.provider}"


def _error(error: TaskError | None) -> str:
    return "" if error is None else _joined(error.code, error.message)


def _joined(head: str | None, tail: str | None) -> str:
    return ": ".join(part for part in (head, tail) if part)
