"""A task that has ended, or whose cancel was requested."""

from gateway.domain.explain.advice import advice
from gateway.domain.explain.cleanup import cleanup, is_kept, waits_for
from gateway.domain.explain.explanation import ExplainInput, Reason
from gateway.domain.explain.formatting import bare, clock, duration, inside, past, since, state
from gateway.domain.explain.webhooks import waits_for_delivery
from gateway.domain.tasks.event import Ended
from gateway.domain.tasks.retention import KEPT
from gateway.domain.tasks.task import Attempt, Status, TaskError


def ended(s: ExplainInput) -> Reason:
    return Reason(
        clauses=(_head(s), *_why(s), *_result(s), *_next_step(s), *_clean_up(s), *_retry(s)),
        waiting_for=_waiting_for(s),
    )


def env_goes_at(s: ExplainInput) -> int | None:
    """The end of the time for a retry (milliseconds); None: there is no limit."""
    at = s.task.finished_at
    return None if at is None or not s.has_env or s.is_env_erased else at + KEPT


def _head(s: ExplainInput) -> str:
    task = s.task
    if task.finished_at is None:
        return state(s)
    is_open = task.status is Status.NEEDS_REVIEW
    when = since(task.finished_at, s.now) if is_open else past(task.finished_at, s.now)
    if task.started_at is None:
        return f"{state(s)} {when}"
    return f"{state(s)} {when} after {duration(task.finished_at - task.started_at)}"


def _why(s: ExplainInput) -> tuple[str, ...]:
    task, error = s.task, s.task.error
    if error is not None:
        return (_error_text(error), f"what helps: {advice(error.code)}")
    if task.status is Status.CANCELLED and task.cancel_requested_at is not None:
        return (f"requested at {clock(task.cancel_requested_at, s.now)}",)
    event = s.newest(f"task.{task.status}")
    fact = event.fact if event is not None else None
    return (f"“{bare(fact.summary)}”",) if isinstance(fact, Ended) and fact.summary else ()


def _error_text(error: TaskError) -> str:
    message = inside(error.message)
    return message if error.code == "expired" else f"{error.code} in {error.stage}: {message}"


def _result(s: ExplainInput) -> tuple[str, ...]:
    task = s.task
    if task.pr_url is not None:
        return (f"its pull request is {bare(task.pr_url, 300)}",)
    if task.status is Status.NEEDS_REVIEW and task.commit_sha is None:
        return ("it pushed no branch",)
    if task.status in {Status.COMPLETED, Status.NEEDS_REVIEW}:
        return (f"there is no pull request, its branch is {bare(s.spec.branch_name, 300)}",)
    return ()


def _next_step(s: ExplainInput) -> tuple[str, ...]:
    """The next step of the person for whom the task waits."""
    task = s.task
    if task.status is not Status.NEEDS_REVIEW:
        return ()
    if task.pr_url is not None:
        return ("next: review it, then merge it, or ask for more by --continue-of",)
    if task.commit_sha is not None:
        return ("next: review its branch and open a pull request yourself",)
    if s.attempt is not None and s.attempt.patch is not None:
        return (f"next: review its changes by `slipgate tasks patch {task.id}`",)
    return (f"next: read by `slipgate tasks logs {task.id}` why nothing was changed",)


def _clean_up(s: ExplainInput) -> tuple[str, ...]:
    left = _left(s)
    if not left and s.attempt is not None:
        return cleanup(s, s.attempt)
    return tuple(clause for attempt in left for clause in cleanup(s, attempt))


def _left(s: ExplainInput) -> tuple[Attempt, ...]:
    """The attempts whose sandbox may be alive."""
    current = s.attempt
    return s.older if current is None or current.is_gone else (*s.older, current)


def _retry(s: ExplainInput) -> tuple[str, ...]:
    if s.task.status is Status.COMPLETED:
        return ()
    if s.is_env_erased:
        return ("its env is erased, so it cannot be retried: create it anew",)
    until = env_goes_at(s)
    return (f"it can be retried until {clock(until, s.now)}" if until else "it can be retried",)


def _waiting_for(s: ExplainInput) -> str | None:
    unwanted = [attempt for attempt in _left(s) if not is_kept(s, attempt)]
    if unwanted:
        return waits_for(s, unwanted[0])
    return waits_for_delivery(s)


def cancelling(s: ExplainInput) -> Reason:
    asked_at = s.task.cancel_requested_at or s.now
    attempt = s.attempt
    head = f"{state(s)}, cancel requested {past(asked_at, s.now)}"
    return Reason(
        clauses=(head, *_cancelled_agent(s), *_cancelled_sandbox(s, attempt), *_cancel_end(s)),
        waiting_for=_cancel_waits_for(s, attempt),
    )


def _agent_knows(s: ExplainInput) -> bool:
    """True if an event of the agent was answered after the request."""
    last_event_at, asked_at = s.last_event_at, s.task.cancel_requested_at
    if last_event_at is None or asked_at is None or _is_unreachable(s):
        return False
    return last_event_at > asked_at


def _is_unreachable(s: ExplainInput) -> bool:
    return s.policy.spool_only or s.flag("unreachable") is not None


def _cancelled_agent(s: ExplainInput) -> tuple[str, ...]:
    attempt = s.attempt
    if attempt is not None and attempt.first_event_at is not None:
        if _is_unreachable(s):
            return ("its agent cannot reach the gateway, so it cannot be told",)
        if _agent_knows(s):
            return ("its agent has been told to stop",)
        return ("its agent is told in the answer to its next event",)
    job = s.job("create", s.task.attempt)
    if job is not None and job.is_held(s.now):
        return (f"{job.leased_by} is told when it renews its lease",)
    return ("its agent has sent no event",)


def _cancelled_sandbox(s: ExplainInput, attempt: Attempt | None) -> tuple[str, ...]:
    at = s.task.clocks.cancel
    if attempt is None or not attempt.was_tried:
        return ("no sandbox has been made",)
    return (
        cleanup(s, attempt) if at is None else (f"at {clock(at, s.now)} its sandbox is destroyed",)
    )


def _cancel_end(s: ExplainInput) -> tuple[str, ...]:
    at = s.task.clocks.cancel_end
    return () if at is None else (f"it is cancelled at {clock(at, s.now)} at the latest",)


def _cancel_waits_for(s: ExplainInput, attempt: Attempt | None) -> str:
    if attempt is None or not attempt.was_tried:
        return "its launcher to give up"
    if s.task.clocks.cancel is None:
        return "its sandbox to be destroyed"
    if _is_unreachable(s):
        return "the end of its grace, for its agent cannot be told"
    return "its agent to stop" if _agent_knows(s) else "its agent to learn of the cancel"
