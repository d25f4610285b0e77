"""The invariants of one task: its rows equal the fold of its events and fit its state."""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from gateway.domain.invariants.history import History
from gateway.domain.invariants.outbox import check_deliveries
from gateway.domain.invariants.task_rows import Finding, Problem, TaskRows
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import LIVE, Attempt, Clocks, Status, Task


def check_task(rows: TaskRows, events: Iterable[Event]) -> Iterator[Problem]:
    """The problems of a task; its events come in order."""
    history = History(rows.task.id)
    for event in events:
        yield from history.take(event)
    if history.length == 0:
        yield Problem(name="no_events", subject=rows.task.id, detail="it has no events")
        return
    yield from check_rows(rows, history)
    yield from check_deliveries(rows.task.id, rows.deliveries, rows.subscriptions, history)


def check_rows(rows: TaskRows, history: History) -> Iterator[Problem]:
    """The problems of a task's rows, without its deliveries."""
    for name, detail in (
        *_differences(rows.task, history.task),
        *_clocks(rows),
        *_offers(rows),
        *_attempts(rows, history),
        *_jobs(rows),
    ):
        yield Problem(name=name, subject=rows.task.id, detail=detail)


def _differences(stored: Task, folded: Task | None) -> Iterator[Finding]:
    if folded is None:
        return
    key = folded.concurrency_key or stored.concurrency_key
    stored, folded = _folded_part(stored), replace(_folded_part(folded), concurrency_key=key)
    for name in Task.__struct_fields__ if stored != folded else ():
        if not _is_kept(getattr(stored, name), getattr(folded, name)):
            yield "row_differs", f"{name} of its row is not what its events tell"


def _is_kept(stored: object, folded: object) -> bool:
    """True for an equal value; a text of PostgreSQL has U+FFFD for the NUL that an agent sent."""
    if isinstance(folded, str) and stored != folded:
        folded = folded.replace("\0", "\ufffd")
    return stored == folded


def _folded_part(task: Task) -> Task:
    return replace(task, clocks=Clocks(), claimable_at=None)


def _clocks(rows: TaskRows) -> Iterator[Finding]:
    if rows.due_at != rows.task.due_at:
        yield "wrong_due_time", "due_at of its row is not the earliest of its clocks"
    if rows.task.due_at is None and not rows.task.status.is_terminal:
        yield "never_due", f"it is {rows.task.status}, and no clock runs for it"


def _offers(rows: TaskRows) -> Iterator[Finding]:
    task = rows.task
    if task.claimable_at is not None and task.status.is_terminal:
        yield "claimable_after_end", f"it is {task.status}, and could still be claimed"
    older = (attempt for attempt in rows.attempts if attempt.number < task.attempt)
    waits = task.cancel_requested_at is not None or any(not each.is_gone for each in older)
    if task.status is Status.QUEUED and task.claimable_at is None and not waits:
        yield "never_claimable", "it is queued, waits for nothing, and cannot be claimed"
    is_wanted = task.status is Status.LAUNCHING and task.cancel_requested_at is None
    if is_wanted and not rows.open_job("create", task.attempt):
        yield "nobody_launches", f"it is launching, and attempt {task.attempt} has no create job"


def _attempts(rows: TaskRows, history: History) -> Iterator[Finding]:
    task = rows.task
    if task.status in LIVE and task.attempt not in rows.numbers:
        yield "attempt_missing", f"it is {task.status}, and attempt {task.attempt} has no row"
    for number in history.sandboxes - rows.numbers:
        yield "attempt_missing", f"attempt {number} may have a sandbox, and has no row"
    for attempt in rows.attempts:
        if attempt.number > task.attempt:
            yield "attempt_unopened", f"attempt {attempt.number} has a row and was never opened"
        sandbox = f"the sandbox of attempt {attempt.number}"
        if attempt.is_gone and attempt.number in history.sandboxes:
            yield "sandbox_forgotten", f"{sandbox} counts as gone, but no event confirms it"
        if _is_left_over(attempt, task) and not rows.open_job("destroy", attempt.number):
            yield "no_destroy_job", f"{sandbox} may be alive, and nobody is asked to destroy it"


def _is_left_over(attempt: Attempt, task: Task) -> bool:
    has_ended = attempt.number < task.attempt or task.status.is_terminal
    return has_ended and not attempt.is_gone


def _jobs(rows: TaskRows) -> Iterator[Finding]:
    task = rows.task
    for job in rows.jobs:
        if job.attempt not in rows.numbers:
            yield "attempt_missing", f"{job.id} is about attempt {job.attempt}, which has no row"
        is_over = task.status.is_terminal or job.attempt != task.attempt
        # A held job stays open until its launcher reports its end.
        if job.kind in {"create", "inspect"} and is_over and job.is_free:
            yield "job_left_open", f"{job.id} is open, and its attempt has ended"
