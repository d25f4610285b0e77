"""The task of a path, for callers that may see it."""

from typing import Any

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import is_task_id
from gateway.domain.tasks.purge import check_kept
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Task
from gateway.web.http.access import StreamReader
from gateway.web.http.call import Call
from gateway.web.http.fields import wrong_field


async def task_of(call: Call[Any], name: str = "task") -> tuple[Task, Spec]:
    """The task that the path names, or `not_found`, also for one of another project; `name` is what
    the API calls it."""
    task_id = call.path[f"{name}_id"]
    found = await call.context.reads.task(task_id) if is_task_id(task_id) else None
    is_reader = isinstance(call.caller, StreamReader)
    if found is None or not (is_reader or call.project in {None, found[0].project}):
        raise ApiError("not_found", f"There is no such {name}.")
    if is_reader:
        call.context.admission.enter_reader(call.request.scope["state"], found[0].project)
    return found


def wanted_project(call: Call[Any], named: str | None, path: str) -> str | None:
    """The only project that a filter is about, None for all: `ops` may name one."""
    own = call.project
    if own is not None and named not in {None, own}:
        raise wrong_field(path, "Expected the project of your key; only an ops key has others")
    return named if own is None else own


async def kept_task_of(call: Call[Any]) -> Task:
    """The task that the path names, for what is gone after a purge: then `task_purged`."""
    task, _ = await task_of(call)
    check_kept(task)
    return task
