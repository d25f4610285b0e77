"""`GET /v1/tasks`: filters and pages of tasks, newest first."""

from typing import Any, Final

import msgspec
from starlette.responses import Response

from gateway.domain.kernel.ids import is_task_id
from gateway.domain.kernel.keyring import Keyring
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import FLAG_ORDER, Status, Task
from gateway.store.records import ANY_FLAG, NEWEST, TaskFilter
from gateway.web.http.access import READ
from gateway.web.http.call import Call
from gateway.web.http.cursors import CURSOR, LIMIT, invalid_cursor, open_cursor, seal_cursor
from gateway.web.http.operation import Operation, answer
from gateway.web.http.query import Choices, Pairs, Text, Timestamp
from gateway.web.http.replies import reply
from gateway.web.tasks.task_access import wanted_project
from gateway.web.tasks.views import task_view
from gateway.wire.tasks import Page, TaskView

STATUS: Final = Choices(
    name="status",
    known=tuple(Status),
    default=tuple(Status),
    meaning="Only tasks in one of these states.",
)
FLAG: Final = Text(
    name="flag",
    known=(ANY_FLAG, *FLAG_ORDER),
    meaning="Only tasks that carry this flag, be it the one that is shown or not; or any.",
)
PROJECT: Final = Text(
    name="project", meaning="Only tasks of this project; any but the key's own needs `ops`."
)
ERROR_CODE: Final = Text(name="errorCode", meaning="Only tasks whose `error.code` is this.")
PROVIDER: Final = Text(
    name="provider", meaning="Only tasks with a sandbox at this provider, or that name it."
)
SNAPSHOT: Final = Text(name="snapshot", meaning="Only tasks that ask for this snapshot.")
LAUNCHER_ID: Final = Text(
    name="launcherId", meaning="Only tasks whose current attempt this launcher took last."
)
REPO_URL: Final = Text(
    name="repoUrl",
    meaning=(
        "Only tasks of this repository, written as they named it. Alone it searches from the "
        "newest task on and may answer less than `limit`, or nothing, with a `nextCursor`."
    ),
)
METADATA: Final = Pairs(
    name="metadata.*", most=50, meaning="Only tasks whose metadata have this value; several."
)
CREATED_AFTER: Final = Timestamp(
    name="createdAfter", meaning="Only tasks created after this moment."
)
CREATED_BEFORE: Final = Timestamp(
    name="createdBefore", meaning="Only tasks created before this moment."
)


@Operation(
    id="listTasks",
    tag="Tasks",
    summary="List tasks, newest first",
    description=(
        "All conditions hold together. A page may be read again: what came since then is on an "
        "earlier one."
    ),
    access=READ,
    query=(
        PROJECT,
        STATUS,
        FLAG,
        ERROR_CODE,
        PROVIDER,
        SNAPSHOT,
        LAUNCHER_ID,
        REPO_URL,
        METADATA,
        CREATED_AFTER,
        CREATED_BEFORE,
        LIMIT,
        CURSOR,
    ),
    answers=(answer(Page[TaskView], "A page of tasks."),),
    errors=("invalid_cursor",),
)
async def page(call: Call[None]) -> Response:
    statuses = call[STATUS]
    wanted = TaskFilter(
        project=wanted_project(call, call[PROJECT], "?project"),
        statuses=tuple(sorted(map(Status, statuses))),
        flag=call[FLAG],
        error_code=call[ERROR_CODE],
        provider=call[PROVIDER],
        snapshot=call[SNAPSHOT],
        launcher_id=call[LAUNCHER_ID],
        repo_url=call[REPO_URL],
        metadata=call[METADATA],
        created_after=call[CREATED_AFTER],
        created_before=call[CREATED_BEFORE],
    )
    tasks, following = await tasks_page(call, wanted)
    data = tuple(task_view(task, spec) for task, spec in tasks)
    return reply(Page[TaskView](data=data, next_cursor=following))


async def tasks_page(
    call: Call[Any], wanted: TaskFilter
) -> tuple[tuple[tuple[Task, Spec], ...], str | None]:
    """The tasks of the requested page, and the cursor of the next; or `invalid_cursor`."""
    context, cursor = call.context, call[CURSOR]
    before = NEWEST if cursor is None else task_before(context.keyring, wanted, cursor)
    found = await context.reads.page(wanted, before=before, limit=call[LIMIT])
    following = found.last and cursor_after(context.keyring, wanted, found.last)
    return found.tasks, following


def cursor_after(keyring: Keyring, wanted: TaskFilter, task_id: str) -> str:
    """The cursor of the page of this list that begins behind this task."""
    return seal_cursor(keyring, msgspec.json.encode(wanted), task_id)


def task_before(keyring: Keyring, wanted: TaskFilter, cursor: str) -> str:
    """The task before the page of this cursor, or `invalid_cursor`."""
    task_id = open_cursor(keyring, msgspec.json.encode(wanted), cursor)
    if not is_task_id(task_id):
        raise invalid_cursor()
    return task_id
