"""The next steps of a task: clocks, offers and leases of jobs, deliveries, in order."""

from collections.abc import Callable, Iterator
from typing import Final

from gateway.domain.explain.cleanup import is_kept
from gateway.domain.explain.explanation import ExplainInput, Step
from gateway.domain.explain.finish import env_goes_at
from gateway.domain.explain.formatting import LAUNCHES, next_attempt, retries_stalls, tries
from gateway.domain.explain.webhooks import next_try
from gateway.domain.launching.job import Job, JobKind


def next_steps(s: ExplainInput) -> tuple[Step, ...]:
    return tuple(sorted((*_clocks(s), *_jobs(s), *_others(s)), key=lambda step: step.at))


def _clocks(s: ExplainInput) -> Iterator[Step]:
    clocks = s.task.clocks
    end = min(filter(None, (clocks.run_end, clocks.cancel_end)), default=None)
    for name, consequence in CONSEQUENCES.items():
        at = getattr(clocks, name)
        # A clock after the end is never due, except the clean-up.
        if at is not None and (end is None or at <= end or name == "cleanup"):
            yield Step(at=at, what=consequence(s))


def _queue(s: ExplainInput) -> str:
    if s.pause("launching") is not None:
        return "queue clock: moved on, for it stands still while launching is paused"
    key = s.task.concurrency_key
    if key is not None and len(s.key_holders) >= s.policy.concurrency_per_key:
        return "queue clock: moved on, for it stands still while the concurrency key is taken"
    added = "" if key is None else " or its concurrency key was taken for a while"
    return f"queue clock: expired, unless a launcher has claimed it{added}"


def _launch_end(s: ExplainInput) -> str:
    launches = s.attempt.launches if s.attempt else 1
    if launches < LAUNCHES:
        return f"launch clock: the lease is revoked, launch {launches + 1} of {LAUNCHES} follows"
    return f"launch clock: the lease is revoked, {next_attempt(s) or 'failed (launch_timeout)'}"


def _heartbeat(s: ExplainInput) -> str:
    if s.flag("silent"):
        return "heartbeat clock: its sandbox is inspected again, unless its agent speaks"
    return "heartbeat clock: flagged silent and its sandbox inspected, unless its agent speaks"


def _stall_end(s: ExplainInput) -> str:
    if s.task.pr_url is not None:
        return "heartbeat clock: needs_review for its pull request, unless its agent speaks"
    end = next_attempt(s, may_retry=retries_stalls(s)) or "failed (agent_silent)"
    return f"heartbeat clock: {end}, unless its agent speaks"


def _cancel(s: ExplainInput) -> str:
    was_tried = s.attempt is not None and s.attempt.was_tried
    return f"cancel clock: {'its sandbox' if was_tried else 'what was made'} is destroyed"


def _cleanup(s: ExplainInput) -> str:
    if s.flag("sandbox_unconfirmed"):
        return "clean-up clock: still flagged sandbox_unconfirmed, unless the sandbox is gone"
    return "clean-up clock: flagged sandbox_unconfirmed, unless the sandbox is gone"


CONSEQUENCES: Final[dict[str, Callable[[ExplainInput], str]]] = {
    "queue": _queue,
    "no_launcher": lambda _s: "flagged no_launcher, unless a launcher has claimed it",
    "launch_slow": lambda _s: "launch clock: flagged launch_slow",
    "launch_end": _launch_end,
    "heartbeat": _heartbeat,
    "stall_end": _stall_end,
    "progress": lambda _s: "progress clock: flagged no_progress, unless its agent gets on",
    "run": lambda s: f"run clock: inspected, then {_timed_out(s)}",
    "run_end": lambda s: f"run clock: {_timed_out(s)}, inspected or not",
    "cancel": _cancel,
    "cancel_end": lambda _s: "cancel clock: cancelled, confirmed or not",
    "drain": lambda _s: "its spool is read",
    "cleanup": _cleanup,
}
"""The effect of each due clock."""

_WORK: Final[dict[JobKind, str]] = {
    "create": "launch",
    "inspect": "inspection",
    "destroy": "destroy",
    "sweep": "sweep",
}


def _timed_out(s: ExplainInput) -> str:
    return next_attempt(s, may_retry=retries_stalls(s)) or "timed_out"


def _jobs(s: ExplainInput) -> Iterator[Step]:
    for job in s.jobs:
        if not job.is_open:
            continue
        if job.lease_expires_at is not None:
            yield Step(at=job.lease_expires_at, what=_lease_ends(job))
        elif job.not_before > s.now and job.kind != "create":
            yield Step(at=job.not_before, what=_work_begins(s, job))


def _lease_ends(job: Job) -> str:
    if job.is_delegated:
        return "the launcher that was asked to start is too late: the launch is offered again"
    return f"lease of {job.leased_by}: the {_WORK[job.kind]} is offered again, unless renewed"


def _work_begins(s: ExplainInput, job: Job) -> str:
    attempt = next((each for each in s.attempts if each.number == job.attempt), None)
    if job.kind == "inspect":
        if attempt is not None and attempt.missing_since is not None:
            return "second inspection: if the sandbox is missing again, it ends (sandbox_gone)"
        return "its sandbox is inspected"
    if attempt is not None and is_kept(s, attempt):
        return "the sandbox kept for debugging is destroyed"
    after = f" again, after {tries(job.offers)}" if job.offers else ""
    return f"the destroy of the sandbox of attempt {job.attempt} is offered{after}"


def _others(s: ExplainInput) -> Iterator[Step]:
    claimable_at, delivery, erased_at = s.task.claimable_at, next_try(s), env_goes_at(s)
    if claimable_at is not None and claimable_at > s.now:
        yield Step(at=claimable_at, what="offered to launchers")
    if delivery is not None and delivery.next_attempt_at is not None:
        what = f"webhook: event {delivery.task_seq} is sent again (try {delivery.attempts + 1})"
        yield Step(at=delivery.next_attempt_at, what=what)
    if erased_at is not None:
        yield Step(at=erased_at, what="its env is erased: it cannot be retried any more")
