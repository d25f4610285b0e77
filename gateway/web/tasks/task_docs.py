"""What documents the routes of tasks."""

from typing import Final

from gateway.web.deliveries.callback_docs import NOTICE
from gateway.web.http import access
from gateway.web.http.body import TASK_LIMIT, Nothing
from gateway.web.http.operation import Answer, Body, Content, Operation, answer
from gateway.web.openapi.examples import (
    CANCELLING,
    EXPLANATION,
    NEW_TASK,
    QUEUED,
    STREAM,
    TASKS,
    WHOLE,
)
from gateway.web.openapi.headers import IDEMPOTENCY_KEY, TRACEPARENT
from gateway.web.tasks import filters
from gateway.web.tasks.included import INCLUDE
from gateway.wire.tasks import (
    ExplanationView,
    NewTask,
    Page,
    Release,
    StreamToken,
    TaskView,
    WholeTaskView,
)

_TAG: Final = "Tasks"
_NOTHING: Final = Body(kind=Nothing, example=Nothing(), is_required=False)


def _accepted(meaning: str, example: TaskView) -> Answer:
    return Answer(
        status=202,
        meaning=meaning,
        content=(Content(kind=TaskView, example=example),),
        headers=("Location", "Idempotent-Replayed"),
    )


CREATE: Final = Operation(
    id="createTask",
    tag=_TAG,
    summary="Hand over a task",
    description="It is answered after the commit: from then on the task is never lost.",
    access=access.TASKS,
    parameters=(IDEMPOTENCY_KEY, TRACEPARENT),
    body=Body(kind=NewTask, example=NEW_TASK, limit=TASK_LIMIT),
    callback=NOTICE,
    answers=(_accepted("The task, stored.", QUEUED),),
    errors=("invalid_idempotency_key", "idempotency_mismatch", "reserved_env", "repo_not_allowed"),
)
LIST: Final = Operation(
    id="listTasks",
    tag=_TAG,
    summary="List tasks, newest first",
    access=access.READ,
    parameters=filters.LIST_PARAMETERS,
    answers=(answer(Page[TaskView], TASKS, "A page of tasks."),),
    errors=("invalid_cursor",),
)
SHOW: Final = Operation(
    id="showTask",
    tag=_TAG,
    summary="Show a task as it stands",
    access=access.READ_OR_TOKEN,
    parameters=(INCLUDE,),
    answers=(answer(WholeTaskView, WHOLE, "The task, with what `include` asked for."),),
    errors=("not_found",),
)
EXPLAIN: Final = Operation(
    id="explainTask",
    tag=_TAG,
    summary="Say why a task stands where it stands",
    description="The texts are for people: read `status` and `next[].at`, show the rest.",
    access=access.READ,
    answers=(answer(ExplanationView, EXPLANATION, "A sentence, what is next, and evidence."),),
    errors=("not_found",),
)
CANCEL: Final = Operation(
    id="cancelTask",
    tag=_TAG,
    summary="Ask a task to stop",
    description="Idempotent. Work that is done by then is done, and is what the task reports.",
    access=access.TASKS,
    parameters=(IDEMPOTENCY_KEY,),
    body=_NOTHING,
    answers=(_accepted("The task, with `cancelRequestedAt`.", CANCELLING),),
    errors=("invalid_idempotency_key", "not_found", "already_finished"),
)
RETRY: Final = Operation(
    id="retryTask",
    tag=_TAG,
    summary="Open the next attempt of a task that has ended",
    description="Also past `maxAttempts`, which binds automatic retries alone.",
    access=access.TASKS,
    parameters=(IDEMPOTENCY_KEY,),
    body=_NOTHING,
    answers=(_accepted("The task, queued again.", QUEUED),),
    errors=("invalid_idempotency_key", "not_found", "not_finished", "env_expired"),
)
STREAM_TOKEN: Final = Operation(
    id="issueStreamToken",
    tag=_TAG,
    summary="Let a browser read one task for an hour",
    description=(
        "`token` is given to a page, which reads this task, its events, logs and patch with "
        "`?token=`, from any origin and without cookies. A stream ends when its token does."
    ),
    access=access.TASKS,
    body=_NOTHING,
    answers=(answer(StreamToken, STREAM, "The token, and where to use it."),),
    errors=("not_found",),
)
RELEASE: Final = Operation(
    id="releaseSandbox",
    tag=_TAG,
    summary="Declare the sandbox of an ended attempt gone",
    description="For one whose end nobody can confirm. What waited for it goes on. Idempotent.",
    access=access.OPS,
    body=Body(kind=Release, example=Release(reason="the host was taken down")),
    answers=(answer(TaskView, QUEUED, "The task as it now stands."),),
    errors=("not_found", "not_finished"),
)
