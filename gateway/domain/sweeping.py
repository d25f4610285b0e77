"""Sweeps: what is found in a realm and carries our labels is held against what should be there."""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from gateway.domain.draft import Draft
from gateway.domain.ending import destroy
from gateway.domain.ids import stray_id, sweep_id
from gateway.domain.job import Job, Stray
from gateway.domain.labels import INSTANCE, owner
from gateway.domain.realm import Place
from gateway.domain.task import Attempt, Task
from gateway.domain.view import View
from gateway.wire.launcher import SweptSandbox
from gateway.wire.times import milliseconds, parse_rfc3339

SWEEP_EVERY: Final = 300_000
"""Milliseconds between two sweeps of a realm."""
NOT_THERE: Final = frozenset({"gone", "destroyed"})


def sweep_job(place: Place, now: int) -> Job:
    """The one sweep job of a realm: it is offered again after each report."""
    provider, realm = place
    return Job(
        id=sweep_id(provider, realm),
        kind="sweep",
        provider=provider,
        realm=realm,
        not_before=now + SWEEP_EVERY,
    )


def judge_sweep(view: View, sweep: Job, found: Iterable[SweptSandbox], now: int) -> None:
    """Has everything destroyed that is ours and that nobody wants any more."""
    for sandbox in found:
        is_ours = sandbox.labels.get(INSTANCE) == view.policy.instance_id
        if (
            is_ours
            and sandbox.state not in NOT_THERE
            and not _is_seen_to(view, sweep, sandbox, now)
        ):
            _destroy_stray(view, sweep, sandbox, now)


def _is_seen_to(view: View, sweep: Job, found: SweptSandbox, now: int) -> bool:
    """Whether it is wanted, is being destroyed or kept for its time, or may be about to vanish."""
    task_id, number = owner(found.labels)
    task = view.tasks.get(task_id)
    attempt = view.attempts.get((task.id, number)) if task else None
    if task is None or (attempt is None and number != task.attempt):
        return now - _made_at(found) < _grace(view)
    is_over = number != task.attempt or task.status.is_terminal
    is_there = attempt is None or attempt.realm in {None, sweep.realm}
    if attempt is None or (is_there and not is_over):
        return not is_over
    if is_there and not attempt.is_gone:
        _see_to_its_end(view, task, attempt, now)
        return True
    return now - _settled_at(attempt) < _grace(view)


def _see_to_its_end(view: View, task: Task, attempt: Attempt, now: int) -> None:
    draft = Draft(view, task, now)
    if draft.job("destroy", attempt.number) is None:
        destroy(draft, attempt, at=now)
        draft.keep()


def _destroy_stray(view: View, sweep: Job, found: SweptSandbox, now: int) -> None:
    name = stray_id(sweep.id, found.name, found.id)
    known = view.jobs.get(name)
    if known is not None and known.is_open:
        return
    stray = Stray(name=found.name, id=found.id, labels=found.labels)
    opened = Job(
        id=name,
        kind="destroy",
        provider=sweep.provider,
        realm=sweep.realm,
        not_before=now,
        stray=stray,
        # One that was closed is opened anew under the same id: no old token may fit again.
        lease=known.lease + 1 if known else 0,
    )
    view.put_job(opened)


def _grace(view: View) -> int:
    """So long a create may still land, and a list may show what is gone (milliseconds)."""
    policy = view.policy
    return policy.create_window + policy.create_limit + policy.gone_margin


def _settled_at(attempt: Attempt) -> int:
    moments = (attempt.opened_at, attempt.tried_at, attempt.ended_at, attempt.gone_at)
    return max(filter(None, moments))


def _made_at(found: SweptSandbox) -> int:
    """When its provider says it was made; one that does not say was made long ago."""
    moment = parse_rfc3339(found.created_at or "")
    return 0 if moment is None else milliseconds(moment)


def swept_again(sweep: Job, now: int) -> Job:
    """The sweep job after a report, whatever it said."""
    return replace(sweep, not_before=now + SWEEP_EVERY)
