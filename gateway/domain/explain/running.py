"""A running task: its agent, its sandbox, its problems."""

from typing import Final

from gateway.domain.explain.explanation import ExplainInput, Reason, sandbox_realm
from gateway.domain.explain.formatting import (
    bare,
    clock,
    count,
    duration,
    next_attempt,
    past,
    retries_stalls,
    since,
    state,
    wrong_snapshot,
)
from gateway.domain.tasks.event import FlagSet
from gateway.domain.tasks.task import Attempt

_SEEN: Final = {
    "creating": "its sandbox is still being created",
    "started": "its sandbox is alive",
    "stopped": "its sandbox has stopped",
    "error": "its sandbox is broken",
    "gone": "its sandbox is gone",
    "destroyed": "its sandbox is destroyed",
    "destroying": "its sandbox is being destroyed",
    "unknown": "the state of its sandbox is unknown",
}


def running(s: ExplainInput) -> Reason:
    return Reason(
        clauses=(_head(s), *_reported_stage(s), *_pull_request(s), *_problems(s), *_end(s)),
        waiting_for=_waiting_for(s),
    )


def _reported_stage(s: ExplainInput) -> tuple[str, ...]:
    """The stage and message that the agent reported."""
    task = s.task
    if task.stage is None and task.message is None:
        return ()
    verb = "was" if s.flag("silent") else "is"
    stage = f"its agent {verb} in stage {bare(task.stage)}" if task.stage else "its agent said"
    message = f": “{bare(task.message)}”" if task.message else ""
    return (f"{stage}{message}",)


def _problems(s: ExplainInput) -> tuple[str, ...]:
    """Problems of its sandbox, its spool and its realm."""
    attempt = s.attempt
    if attempt is None:
        return ()
    return (*wrong_snapshot(s), *_sandbox(s, attempt), *_spool(s), *_realm_missing(s, attempt))


def _spooled(s: ExplainInput) -> tuple[int, bool]:
    """Number of events read from its spool since it became unreachable, and True if there may be
    more; the flag is raised after the first of them."""
    raised = next(
        (
            event.task_seq
            for event in reversed(s.events)
            if isinstance(fact := event.fact, FlagSet) and fact.code == "unreachable"
        ),
        None,
    )
    if raised is None:
        return len(s.agent_events), True
    return 1 + sum(event.task_seq > raised for event in s.agent_events), False


def _head(s: ExplainInput) -> str:
    task = s.task
    parts = [state(s)]
    silent, stuck = s.flag("silent"), s.flag("no_progress")
    last_event_at, started_at = s.last_event_at, task.started_at or s.now
    if silent is not None:
        parts.append(f"silent {since(last_event_at or started_at, s.now)}")
    if stuck is not None:
        parts.append(f"without progress {since(stuck.since - s.policy.progress, s.now)}")
    if silent is None and stuck is None:
        parts[0] = f"{parts[0]} {since(started_at, s.now)}"
    if last_event_at is None:
        parts.append("its agent has sent no event yet")
    elif silent is None:
        parts.append(f"last event {duration(s.now - last_event_at)} ago")
    return ", ".join(parts)


def _pull_request(s: ExplainInput) -> tuple[str, ...]:
    return () if s.task.pr_url is None else (f"its pull request is {bare(s.task.pr_url)}",)


def _sandbox(s: ExplainInput, attempt: Attempt) -> tuple[str, ...]:
    if attempt.missing_since is not None:
        missed = f"its sandbox was not found {past(attempt.missing_since, s.now)}"
        return (f"{missed}, and a second inspection decides",)
    seen = attempt.sandbox.state if attempt.sandbox else "unknown"
    is_quiet = not any(s.flag(code) for code in ("silent", "no_progress", "unreachable"))
    if is_quiet and seen == "started":
        return ()
    return (f"{_SEEN.get(seen, f'its sandbox is {seen}')}{_inspected(s, attempt)}",)


def _inspected(s: ExplainInput, attempt: Attempt) -> str:
    job = s.job("inspect", attempt.number)
    if job is not None and job.is_held(s.now):
        return f" as far as known, {job.leased_by} is inspecting it"
    if s.flag("unreachable"):
        return ""
    at = s.inspected_at
    return " as far as known" if at is None else f" (inspected at {clock(at, s.now)})"


def _spool(s: ExplainInput) -> tuple[str, ...]:
    if s.policy.spool_only:
        return ("its events are read from its spool, for the gateway has no public address",)
    if s.flag("unreachable") is None:
        return ()
    number, is_least = _spooled(s)
    read = "was" if number == 1 else "were"
    least = "at least " if is_least else ""
    return (
        "its agent cannot reach the gateway",
        f"{least}{count(number, 'event')} {read} read from its spool",
    )


def _realm_missing(s: ExplainInput, attempt: Attempt) -> tuple[str, ...]:
    flag = s.flag("realm_missing")
    if flag is None:
        return ()
    missing = f"no launcher of {sandbox_realm(attempt)} is live {since(flag.since, s.now)}"
    return (f"{missing}, so nobody can inspect its sandbox or destroy it",)


def _end(s: ExplainInput) -> tuple[str, ...]:
    clocks, now = s.task.clocks, s.now
    stall = () if clocks.stall_end is None else (_stall_end(s, clocks.stall_end),)
    if clocks.run_end is not None:
        at = clock(clocks.run_end, now)
        return (f"its time is over: it is inspected a last time and {_times_out(s)} at {at}",)
    if clocks.run is None:
        return stall
    return (*stall, f"at {clock(clocks.run, now)} it {_times_out(s)}")


def _times_out(s: ExplainInput) -> str:
    follows = next_attempt(s, may_retry=retries_stalls(s))
    return f"times out and {follows}" if follows else "times out"


def _stall_end(s: ExplainInput, at: int) -> str:
    end = "needs review for its pull request" if s.task.pr_url else "fails with agent_silent"
    follows = None if s.task.pr_url else next_attempt(s, may_retry=retries_stalls(s))
    then = f"{end} and {follows}" if follows else end
    return f"at {clock(at, s.now)} it {then}, unless its agent speaks"


def _waiting_for(s: ExplainInput) -> str:
    attempt = s.attempt
    if s.task.clocks.run_end is not None:
        return "the last inspection of its sandbox"
    if attempt is not None and attempt.missing_since is not None:
        return "a second inspection of its sandbox"
    if s.flag("realm_missing") and attempt is not None:
        return f"a launcher of {sandbox_realm(attempt)}"
    if s.flag("unreachable"):
        return "its agent to reach the gateway"
    if s.flag("silent"):
        return "its agent's next event" if s.last_event_at else "its agent's first event"
    if s.flag("no_progress"):
        return "its agent to get on"
    return "its agent to finish" if s.last_event_at else "its agent's first event"
