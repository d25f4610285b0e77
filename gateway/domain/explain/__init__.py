"""Why a task stands where it stands, in one sentence; what happens next and when; how we know."""

from gateway.domain.explain import webhooks
from gateway.domain.explain.evidence import evidence
from gateway.domain.explain.explanation import ExplainInput, Explanation, Reason
from gateway.domain.explain.finish import cancelling, ended
from gateway.domain.explain.launching import launching
from gateway.domain.explain.next_steps import next_steps
from gateway.domain.explain.queued import queued
from gateway.domain.explain.running import running
from gateway.domain.tasks.task import Status


def explain(explain_input: ExplainInput) -> Explanation:
    """The explanation of a explain_input; it looks at nothing else."""
    reason = _reason(explain_input)
    return Explanation(
        status=explain_input.task.status,
        summary="; ".join((*reason.clauses, *webhooks.problems(explain_input))),
        waiting_for=reason.waiting_for,
        next=next_steps(explain_input),
        evidence=evidence(explain_input),
    )


def _reason(explain_input: ExplainInput) -> Reason:
    task = explain_input.task
    if task.status.is_terminal:
        return ended(explain_input)
    if task.cancel_requested_at is not None:
        return cancelling(explain_input)
    match task.status:
        case Status.QUEUED:
            return queued(explain_input)
        case Status.LAUNCHING:
            return launching(explain_input)
        case _:
            return running(explain_input)
