"""The query of a list of tasks, as a filter."""

from typing import Final

from starlette.requests import Request

from gateway.domain.tasks.task import FLAG_ORDER, Status
from gateway.store.records import ANY_FLAG, TaskFilter
from gateway.web.http.query import (
    Moment,
    Number,
    Pairs,
    Text,
    Words,
    known_only,
)

STATUS: Final = Words(
    name="status", known=tuple(Status), meaning="Only tasks in one of these states."
)
FLAG: Final = Text(
    name="flag",
    known=(ANY_FLAG, *FLAG_ORDER),
    meaning="Only tasks that carry this flag, be it the one that is shown or not; or any.",
)
ERROR_CODE: Final = Text(name="errorCode", meaning="Only tasks whose `error.code` is this.")
REPO_URL: Final = Text(
    name="repoUrl",
    meaning=(
        "Only tasks of this repository, written as they named it. Alone it searches from the "
        "newest task on and may answer less than `limit`, or nothing, with a `nextCursor`."
    ),
)
METADATA: Final = Pairs(
    prefix="metadata.", most=50, meaning="Only tasks whose metadata have this value; several."
)
CREATED_AFTER: Final = Moment(name="createdAfter", meaning="Only tasks created after this moment.")
CREATED_BEFORE: Final = Moment(
    name="createdBefore", meaning="Only tasks created before this moment."
)
LIMIT: Final = Number(
    name="limit", default=50, least=1, most=200, meaning="So many entries at the most."
)
CURSOR: Final = Text(
    name="cursor",
    least=0,
    meaning="`nextCursor` of the page before, unchanged and with the same filters.",
)
LIST_PARAMETERS: Final = (
    STATUS,
    FLAG,
    ERROR_CODE,
    REPO_URL,
    METADATA,
    CREATED_AFTER,
    CREATED_BEFORE,
    LIMIT,
    CURSOR,
)


def task_filter(request: Request, project: str | None) -> TaskFilter:
    """What the caller asks for, within the project its key is bound to (None: everywhere).

    Raises:
        ApiError: `invalid_request`.
    """
    known_only(request, LIST_PARAMETERS, METADATA)
    return TaskFilter(
        project=project,
        statuses=tuple(sorted(map(Status, STATUS.of(request)))),
        flag=FLAG.of(request),
        error_code=ERROR_CODE.of(request),
        repo_url=REPO_URL.of(request),
        metadata=METADATA.of(request),
        created_after=CREATED_AFTER.of(request),
        created_before=CREATED_BEFORE.of(request),
    )
