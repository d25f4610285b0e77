"""A task's state in words, and what a bad end would make of it."""

from typing import Final

from gateway.domain.explain.explanation import ExplainInput, sandbox_realm
from gateway.domain.explain.formatting import bare, duration
from gateway.domain.launching.launch import RELAUNCH_BACKOFF

LAUNCHES: Final = len(RELAUNCH_BACKOFF) + 1
"""Launches of one attempt."""


def state(s: ExplainInput) -> str:
    """`running`, or `running (attempt 2 of 3)`."""
    task = s.task
    word = task.status.value.replace("_", " ")
    if task.attempt == 1:
        return word
    of = f" of {task.max_attempts}" if task.attempt <= task.max_attempts else ""
    return f"{word} (attempt {task.attempt}{of})"


def wanted_place(s: ExplainInput) -> str:
    """The only place where it may be launched, or nothing if any will do."""
    attempt = s.attempt
    if attempt is not None and attempt.realm is not None:
        return sandbox_realm(attempt)
    return s.task.provider or ""


def nobody(s: ExplainInput, where: str) -> str:
    """No launcher of this place is live, or of any; right after our start none could be."""
    who = f"no launcher of {where}" if where else "no launcher"
    if s.has_just_started:
        ago = duration(s.now - s.policy.started_at)
        return f"{who} has called since the gateway started {ago} ago"
    return f"{who} is live"


def wrong_snapshot(s: ExplainInput) -> tuple[str, ...]:
    """Whether its sandbox runs what nobody asked for."""
    flag = s.flag("wrong_snapshot")
    if flag is None:
        return ()
    detail = f": {bare(flag.detail)}" if flag.detail else ""
    return (f"its sandbox is not what was asked for{detail}",)


def next_attempt(s: ExplainInput, *, may_retry: bool = True) -> str | None:
    """`attempt 2 of 3 follows`, if a retryable error would open one."""
    task = s.task
    if not may_retry or task.attempt >= task.max_attempts:
        return None
    return f"attempt {task.attempt + 1} of {task.max_attempts} follows"


def retries_stalls(s: ExplainInput) -> bool:
    """Whether silence and the run clock count as retryable failures."""
    return s.task.on_stall == "retry"
