"""Continuations: a task that goes on with the branch and the pull request of an ended one."""

from typing import Final

from msgspec.structs import replace

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.purge import check_kept
from gateway.domain.tasks.spec import Continuation, FollowUpKind, Spec
from gateway.domain.tasks.task import Task

CONTEXT_CHARACTERS: Final = 12_000
"""The newest part of a long chain of tasks is kept."""
PART_CHARACTERS: Final = 4_000
CUT: Final = "[… earlier text left out …]\n"


def continuation_of(
    task: Task,
    spec: Spec,
    *,
    follow_up: FollowUpKind | None = None,
    requested_by: str | None = None,
) -> Continuation:
    """The branch, the pull request and the history that a continuation of the task begins with."""
    before = f"{spec.continues.context}\n\n" if spec.continues else ""
    asked = f"Asked before ({task.id}):\n{_part(spec.prompt)}"
    done = f"Done then ({task.status}):\n{_part(task.message or 'no summary was given')}"
    context = f"{before}{asked}\n\n{done}"
    if len(context) > CONTEXT_CHARACTERS:
        context = CUT + context[-CONTEXT_CHARACTERS:]
    return Continuation(
        task_id=task.id,
        pr_url=task.pr_url or task.follow_up_of,
        commit_sha=task.commit_sha,
        follow_up=follow_up,
        requested_by=requested_by,
        context=context,
    )


def check_ended(unit: UnitOfWork, spec: Spec) -> None:
    """Refuses to continue a task that is not in the project, or has not ended; a follow-up waits
    for it by its concurrency key."""
    if spec.continues is None or spec.continues.follow_up is not None:
        return
    task = unit.tasks.get(spec.continues.task_id)
    if task is None or task.project != spec.project:
        raise ApiError("invalid_request", "`continueOf` names no task of this project.")
    if not task.status.is_terminal:
        raise ApiError(
            "not_finished",
            f"`continueOf` names a task that is {task.status}.",
            hint="Wait for its end, or cancel it first.",
        )
    check_kept(task)


def share_key(unit: UnitOfWork, spec: Spec) -> None:
    """Gives the continued task, if it has no concurrency key, that of its continuation: a retry of
    it waits for the branch, too."""
    task = unit.tasks.get(spec.continues.task_id) if spec.continues else None
    if task is not None and task.status.is_terminal and task.concurrency_key is None:
        unit.tasks.put(replace(task, concurrency_key=spec.concurrency_key))


def _part(text: str) -> str:
    return text if len(text) <= PART_CHARACTERS else f"{text[:PART_CHARACTERS]}\n[… cut …]"
