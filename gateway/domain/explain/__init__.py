"""Explains the state of a task: a summary, the next steps, and the evidence."""

from gateway.domain.explain import webhooks
from gateway.domain.explain.evidence import evidence
from gateway.domain.explain.explanation import ExplainInput, Explanation, Reason
from gateway.domain.explain.finish import cancelling, ended
from gateway.domain.explain.launching import launching
from gateway.domain.explain.next_steps import next_steps
from gateway.domain.explain.queued import queued
from gateway.domain.explain.running import running
from gateway.domain.tasks.task import Status


def explain(s: ExplainInput) -> Explanation:
    reason = _reason(s)
    return Explanation(
        status=s.task.status,
        summary="; ".join((*reason.clauses, *webhooks.problems(s))),
        waiting_for=reason.waiting_for,
        next=next_steps(s),
        evidence=evidence(s),
    )


def _reason(s: ExplainInput) -> Reason:
    task = s.task
    if task.status.is_terminal:
        return ended(s)
    if task.cancel_requested_at is not None:
        return cancelling(s)
    match task.status:
        case Status.QUEUED:
            return queued(s)
        case Status.LAUNCHING:
            return launching(s)
        case _:
            return running(s)
