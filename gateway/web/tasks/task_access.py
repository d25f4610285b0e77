"""The task of a path, for whoever may see it: by API key, or by stream token."""

from typing import Final

from starlette.requests import Request

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import is_task_id
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.stream_token import end_of_token
from gateway.domain.tasks.task import Frozen, Task
from gateway.web.context import Context
from gateway.web.http.auth import READ, authorize, project_of
from gateway.web.http.query import Text

TOKEN: Final = Text(
    name="token", least=0, meaning="A stream token of this task, in place of an API key."
)


class Readable(Frozen, frozen=True, kw_only=True):
    """A task that may be read, until a moment (milliseconds) if it is a token that opens it."""

    task: Task
    spec: Spec
    until: int | None = None


async def visible_task(
    request: Request, context: Context, scopes: frozenset[str] = READ
) -> tuple[Task, Spec]:
    """The task of the path, if the caller's key may see it.

    Raises:
        ApiError: `not_found`; another project's task is not there.
    """
    key = await authorize(request, context.keys, scopes)
    found = await _find(request, context)
    if found is None or project_of(key) not in {None, found[0].project}:
        raise _not_found()
    return found


async def readable_task(request: Request, context: Context) -> Readable:
    """The task of the path, if the caller's token or else its key may see it.

    Raises:
        ApiError: `not_found`, or the token or key is not good.
    """
    token = TOKEN.of(request)
    if token is None:
        task, spec = await visible_task(request, context)
        return Readable(task=task, spec=spec)
    task_id = request.path_params["task_id"]
    until = end_of_token(context.keyring, token, task_id, context.clock())
    found = await _find(request, context)
    if found is None:
        raise _not_found()
    context.admission.enter_reader(request.scope["state"], found[0].project)
    return Readable(task=found[0], spec=found[1], until=until)


async def _find(request: Request, context: Context) -> tuple[Task, Spec] | None:
    task_id = request.path_params["task_id"]
    return await context.reads.task(task_id) if is_task_id(task_id) else None


def _not_found() -> ApiError:
    return ApiError("not_found", "There is no such task.")
