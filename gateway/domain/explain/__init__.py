"""Why a task stands where it stands, in one sentence; what happens next and when; how we know."""

from gateway.domain.explain import webhooks
from gateway.domain.explain.cancelling import cancelling
from gateway.domain.explain.ended import ended
from gateway.domain.explain.evidence import evidence
from gateway.domain.explain.explain_input import ExplainInput
from gateway.domain.explain.explanation import Explanation, Telling
from gateway.domain.explain.launching import launching
from gateway.domain.explain.next_steps import upcoming
from gateway.domain.explain.queued import queued
from gateway.domain.explain.running import running
from gateway.domain.tasks.task import Status


def explain(situation: ExplainInput) -> Explanation:
    """The explanation of a situation; it looks at nothing else."""
    telling = _telling(situation)
    return Explanation(
        status=situation.task.status,
        summary="; ".join((*telling.clauses, *webhooks.troubles(situation))),
        waiting_for=telling.waiting_for,
        next=upcoming(situation),
        evidence=evidence(situation),
    )


def _telling(situation: ExplainInput) -> Telling:
    task = situation.task
    if task.status.is_terminal:
        return ended(situation)
    if task.cancel_requested_at is not None:
        return cancelling(situation)
    match task.status:
        case Status.QUEUED:
            return queued(situation)
        case Status.LAUNCHING:
            return launching(situation)
        case _:
            return running(situation)
