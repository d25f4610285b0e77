"""What a cancel that was asked for still waits for."""

from gateway.domain.explain.cleanup import cleanup
from gateway.domain.explain.explanation import ExplainInput
from gateway.domain.explain.explanation import Reason
from gateway.domain.explain.formatting import clock, past
from gateway.domain.explain.state_text import state
from gateway.domain.tasks.task import Attempt


def cancelling(s: ExplainInput) -> Reason:
    """Whether the agent knows, when its sandbox goes, and when it is over at the latest."""
    asked_at = s.task.cancel_requested_at or s.now
    attempt = s.attempt
    head = f"{state(s)}, cancel requested {past(asked_at, s.now)}"
    return Reason(
        clauses=(head, *_agent(s), *_sandbox(s, attempt), *_end(s)),
        waiting_for=_waiting_for(s, attempt),
    )


def _is_told(s: ExplainInput) -> bool:
    """An agent hears of it in the answer to its next word, if that reached us directly."""
    spoke_at, asked_at = s.last_word_at, s.task.cancel_requested_at
    if spoke_at is None or asked_at is None or _is_unreachable(s):
        return False
    return spoke_at > asked_at


def _is_unreachable(s: ExplainInput) -> bool:
    return s.policy.spool_only or s.flag("unreachable") is not None


def _agent(s: ExplainInput) -> tuple[str, ...]:
    attempt = s.attempt
    if attempt is not None and attempt.spoke_at is not None:
        if _is_unreachable(s):
            return ("its agent cannot reach the gateway, so it cannot be told",)
        if _is_told(s):
            return ("its agent has been told to stop",)
        return ("its agent is told in the answer to its next word",)
    job = s.job("create", s.task.attempt)
    if job is not None and job.is_held(s.now):
        return (f"{job.leased_by} is told when it renews its lease",)
    return ("its agent has never spoken",)


def _sandbox(s: ExplainInput, attempt: Attempt | None) -> tuple[str, ...]:
    at = s.task.clocks.cancel
    if attempt is None or not attempt.was_tried:
        return ("no sandbox has been made",)
    return (
        cleanup(s, attempt) if at is None else (f"at {clock(at, s.now)} its sandbox is destroyed",)
    )


def _end(s: ExplainInput) -> tuple[str, ...]:
    at = s.task.clocks.cancel_end
    return () if at is None else (f"it is cancelled at {clock(at, s.now)} at the latest",)


def _waiting_for(s: ExplainInput, attempt: Attempt | None) -> str:
    if attempt is None or not attempt.was_tried:
        return "its launcher to give up"
    if s.task.clocks.cancel is None:
        return "its sandbox to be destroyed"
    if _is_unreachable(s):
        return "the end of its grace, for its agent cannot be told"
    return "its agent to stop" if _is_told(s) else "its agent to hear of the cancel"
