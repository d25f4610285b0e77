"""Rules for follow-ups: a comment, a review or a failed check of our pull request becomes a task
that continues its branch."""

from typing import Final

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.sources.message import FollowUpNotice, NoticeReply, Reason
from gateway.domain.sources.receive import answer_message, is_duplicate
from gateway.domain.tasks.requests import create
from gateway.domain.tasks.task import Task

CHECK: Final = "check"


def follow_up(unit: UnitOfWork, command: FollowUpNotice, now: int) -> NoticeReply:
    """Creates the continuation; it waits for earlier tasks of the branch by its concurrency key."""
    if is_duplicate(unit, command.message):
        return NoticeReply(applied=True, duplicate=True)
    found = unit.messages.pull_requests.get(command.url, ())
    project = command.creation.spec.project
    tasks = [task for task_id in found if (task := unit.tasks[task_id]).project == project]
    reason = _refusal(tasks, command)
    if reason is None:
        create(unit, command.creation, now)
        # Checks fail at once: the next one of the batch has to find this task.
        unit.messages.pull_requests[command.url] = (*found, command.creation.task_id)
    return answer_message(unit, command.message, reason, now)


def _refusal(tasks: list[Task], command: FollowUpNotice) -> Reason | None:
    if not tasks:
        return "unknown_pull_request"
    follow_ups = [task for task in tasks if task.follow_up_of is not None]
    if len(follow_ups) >= command.limit:
        return "follow_up_limit"
    # Checks fail in groups, and again at each push: the work that is under way comes first.
    if command.kind == CHECK and any(not task.status.is_terminal for task in tasks):
        return "nothing_to_do"
    return None
