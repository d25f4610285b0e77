"""A task's rows: what its events tell, and what must stand beside a task in its state."""

from collections.abc import Iterator

from msgspec.structs import replace

from gateway.domain.invariants.history import History
from gateway.domain.invariants.task_rows import Problem, ProblemName, TaskRows
from gateway.domain.launching.job import Job
from gateway.domain.tasks.task import Attempt, Clocks, Status, Task


def check_rows(rows: TaskRows, history: History) -> Iterator[Problem]:
    """What is wrong with the rows."""
    for name, detail in (
        *_differences(rows.task, history.task),
        *_clocks(rows),
        *_offers(rows),
        *_attempts(rows, history),
        *_jobs(rows),
    ):
        yield Problem(name=name, subject=rows.task.id, detail=detail)


Wrong = Iterator[tuple[ProblemName, str]]
"""Names of problems, with their details."""


def _differences(kept: Task, told: Task | None) -> Wrong:
    if told is None:
        return
    kept, told = _folded_part(kept), _folded_part(told)
    if kept == told:
        return
    for name in Task.__struct_fields__:
        if getattr(kept, name) != getattr(told, name):
            yield "row_differs", f"{name} of its row is not what its events tell"


def _folded_part(task: Task) -> Task:
    """Without what is a promise about the future and not folded."""
    return replace(task, clocks=Clocks(), claimable_at=None)


def _clocks(rows: TaskRows) -> Wrong:
    if rows.due_at != rows.task.due_at:
        yield "wrong_due_time", "due_at of its row is not the earliest of its clocks"
    if rows.task.due_at is None and not rows.task.status.is_terminal:
        yield "never_due", f"it is {rows.task.status}, and no clock runs for it"


def _offers(rows: TaskRows) -> Wrong:
    task = rows.task
    if task.claimable_at is not None and task.status.is_terminal:
        yield "claimable_after_end", f"it is {task.status}, and could still be claimed"
    waits = task.cancel_requested_at is not None or any(map(_is_left, _older(rows)))
    if task.status is Status.QUEUED and task.claimable_at is None and not waits:
        yield "never_claimable", "it is queued, waits for nothing, and cannot be claimed"
    is_wanted = task.status is Status.LAUNCHING and task.cancel_requested_at is None
    if is_wanted and not _open(rows, "create", task.attempt):
        yield "nobody_launches", f"it is launching, and attempt {task.attempt} has no create job"


def _attempts(rows: TaskRows, history: History) -> Wrong:
    task = rows.task
    numbers = {attempt.number for attempt in rows.attempts}
    if task.status in {Status.LAUNCHING, Status.RUNNING} and task.attempt not in numbers:
        yield "attempt_missing", f"it is {task.status}, and attempt {task.attempt} has no row"
    for number in history.sandboxes - numbers:
        yield "attempt_missing", f"attempt {number} may have a sandbox, and has no row"
    for attempt in rows.attempts:
        if attempt.number > task.attempt:
            yield "attempt_unopened", f"attempt {attempt.number} has a row and was never opened"
        if attempt.is_gone and attempt.number in history.sandboxes:
            detail = "counts as gone, but no event confirms it"
            yield "sandbox_forgotten", f"the sandbox of attempt {attempt.number} {detail}"
        is_left_over = _has_ended(attempt, task) and _is_left(attempt)
        if is_left_over and not _open(rows, "destroy", attempt.number):
            detail = "may be alive, and nobody is asked to destroy it"
            yield "no_destroy_job", f"the sandbox of attempt {attempt.number} {detail}"


def _jobs(rows: TaskRows) -> Wrong:
    task = rows.task
    numbers = {attempt.number for attempt in rows.attempts}
    for job in rows.jobs:
        if job.attempt not in numbers:
            yield "attempt_missing", f"{job.id} is about attempt {job.attempt}, which has no row"
        is_over = task.status.is_terminal or job.attempt != task.attempt
        # Whoever holds it reports its end; until then it stays open, and is told to stop.
        is_unheld = job.is_open and job.leased_by is None
        if job.kind in {"create", "inspect"} and is_over and is_unheld:
            yield "job_left_open", f"{job.id} is open, and its attempt has ended"


def _older(rows: TaskRows) -> Iterator[Attempt]:
    return (attempt for attempt in rows.attempts if attempt.number < rows.task.attempt)


def _is_left(attempt: Attempt) -> bool:
    return not attempt.is_gone


def _has_ended(attempt: Attempt, task: Task) -> bool:
    return attempt.number < task.attempt or task.status.is_terminal


def _open(rows: TaskRows, kind: str, attempt: int) -> list[Job]:
    wanted = (kind, attempt)
    return [job for job in rows.jobs if (job.kind, job.attempt) == wanted and job.is_open]
