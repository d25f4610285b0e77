"""A launching task."""

from gateway.domain.explain.explanation import ExplainInput, Reason, sandbox_realm
from gateway.domain.explain.formatting import (
    LAUNCHES,
    bare,
    clock,
    listed,
    next_attempt,
    no_launcher,
    since,
    state,
    wanted_realm,
    wrong_snapshot,
)
from gateway.domain.launching.job import Job
from gateway.domain.tasks.event import Launching, Trying
from gateway.domain.tasks.task import Attempt


def launching(s: ExplainInput) -> Reason:
    """Its launcher, its sandbox, and the end of the launch clock."""
    attempt = s.attempt
    if attempt is None:
        return Reason(clauses=(state(s),), waiting_for="a launcher")
    job = s.job("create", attempt.number)
    held = job is not None and job.is_held(s.now)
    work = _work(s, attempt, job) if job is not None and held else _offered(s, attempt)
    return Reason(
        clauses=(_head(s, attempt), *work.clauses, *_end(s, attempt)), waiting_for=work.waiting_for
    )


def began_at(s: ExplainInput) -> int | None:
    event = s.newest("task.launching")
    if event is not None and event.attempt == s.task.attempt:
        return event.at
    end = s.task.clocks.launch_end
    return None if end is None else end - 2 * s.policy.launch


def _head(s: ExplainInput, attempt: Attempt) -> str:
    at = began_at(s)
    slow = ", slowly" if s.flag("launch_slow") else ""
    when = "" if at is None else f" {since(at, s.now)}"
    return f"{state(s)}{when}{slow}, launch {attempt.launches} of {LAUNCHES}"


def _work(s: ExplainInput, attempt: Attempt, job: Job) -> Reason:
    who = job.leased_by or "a launcher"
    if job.is_delegated:
        until = clock(job.lease_expires_at or s.now, s.now)
        text = f"{who} asked a launcher to start elsewhere, which has until {until} to claim it"
        return Reason(clauses=(text,), waiting_for="the launcher that was asked to start")
    if not _has_tried(s, attempt):
        text = f"{who} holds it and has not begun to create a sandbox"
        return Reason(clauses=(text,), waiting_for=f"{who} to create a sandbox")
    return _trying(s, attempt, who)


def _trying(s: ExplainInput, attempt: Attempt, who: str) -> Reason:
    sandbox = attempt.sandbox
    name, realm = sandbox.name if sandbox else "its sandbox", sandbox_realm(attempt)
    if sandbox is None or sandbox.id is None:
        text = f"{who} is creating {name} at {realm}{_earlier_tries(s)}"
        return Reason(clauses=(text,), waiting_for=f"{realm} to create the sandbox")
    text = f"{who} has created {name} at {realm}, which is not reported started yet"
    return Reason(clauses=(text, *wrong_snapshot(s)), waiting_for="the sandbox to start")


def _earlier_tries(s: ExplainInput) -> str:
    event = s.newest("sandbox.trying")
    fact = event.fact if event is not None and event.attempt == s.task.attempt else None
    if not isinstance(fact, Trying) or fact.number == 1:
        return ""
    note = f": {bare(fact.note)}" if fact.note else ""
    return f" (try {fact.number}{note})"


def _offered(s: ExplainInput, attempt: Attempt) -> Reason:
    event = s.newest("task.launching")
    fact = event.fact if event is not None else None
    who = fact.launcher_id if isinstance(fact, Launching) else "its launcher"
    lost = f"{who} no longer holds it, so the launch is offered again"
    where = f"a launcher of {sandbox_realm(attempt)}" if attempt.realm is not None else "a launcher"
    if s.able:
        return Reason(
            clauses=(lost, f"{listed([call.launcher_id for call in s.able])} can take it"),
            waiting_for=f"{where} to take it over",
        )
    return Reason(clauses=(lost, no_launcher(s, wanted_realm(s))), waiting_for=where)


def _has_tried(s: ExplainInput, attempt: Attempt) -> bool:
    began = began_at(s)
    return attempt.tried_at is not None and (began is None or attempt.tried_at >= began)


def _end(s: ExplainInput, attempt: Attempt) -> tuple[str, ...]:
    at = s.task.clocks.launch_end
    if at is None:
        return ()
    unless = f"if it has not started by {clock(at, s.now)}"
    if attempt.launches < LAUNCHES:
        return (f"{unless}, launch {attempt.launches + 1} of {LAUNCHES} follows",)
    return (f"{unless}, {next_attempt(s) or 'it fails with launch_timeout'}",)
