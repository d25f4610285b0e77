"""Bulk actions: start or try one dry, list, show, abort."""

from functools import partial
from typing import Final

import msgspec
from starlette.responses import Response

from gateway.domain.kernel.errors import ApiError
from gateway.domain.operations.bulk import (
    MOST_TASKS,
    AbortBulk,
    BulkAction,
    BulkReply,
    BulkVerb,
    StartBulk,
)
from gateway.domain.tasks.task import TERMINAL, Status
from gateway.store.records import TaskFilter
from gateway.web.convert import convert
from gateway.web.http.access import READ, TASKS
from gateway.web.http.call import Call
from gateway.web.http.cursors import CURSOR, LIMIT, Position, keyset_page
from gateway.web.http.fields import to_millis, wrong_field
from gateway.web.http.headers import IDEMPOTENCY_KEY, REPLAYABLE
from gateway.web.http.operation import CHANGE, Body, Operation, answer
from gateway.web.http.replies import reply
from gateway.web.tasks.task_access import wanted_project
from gateway.wire.bulk import (
    BulkFailureView,
    BulkFilter,
    BulkPreview,
    BulkView,
    NewBulk,
    WholeBulkView,
)
from gateway.wire.message import Change
from gateway.wire.tasks import Page

SAMPLE: Final = 20
STATUSES: Final[dict[BulkVerb, frozenset[Status]]] = {
    "cancel": frozenset(Status) - TERMINAL,
    "retry": frozenset({Status.FAILED, Status.TIMED_OUT, Status.EXPIRED}),
    "destroy": TERMINAL,
}
"""The states that an action is for, where the filter names none."""
_FIRST: Final = "bulk_~"
"""Sorts behind every id."""
operation: Final = partial(Operation, tag="Bulk")


@operation(
    id="startBulk",
    summary="Act on all tasks that match a filter",
    description=(
        "The tasks are fixed now; then they have their turn, some hundred a second, also after a "
        "restart. A task that is refused counts as failed, with its code. `dryRun` only tells what "
        f"matches. At most {MOST_TASKS:,} tasks."
    ),
    access=TASKS,
    headers=(IDEMPOTENCY_KEY,),
    body=Body(kind=NewBulk),
    answers=(
        answer(WholeBulkView, "The bulk action, stored.", status=202, headers=REPLAYABLE),
        answer(BulkPreview, "`dryRun`: what matches now."),
    ),
    errors=("invalid_idempotency_key", "idempotency_mismatch", "too_many_tasks"),
)
async def start(call: Call[NewBulk]) -> Response:
    context, wanted = call.context, call.body
    idempotency = call.idempotency()
    task_ids = await _matching(call)
    if wanted.dry_run:
        sample = tuple(task_ids[:SAMPLE])
        return reply(BulkPreview(action=wanted.action, matched=len(task_ids), sample=sample))
    now = context.clock()
    bulk = BulkAction(
        id=context.new_id("bulk"),
        action=wanted.action,
        project=call.project,
        filter=msgspec.json.encode(wanted.filter).decode(),
        reason=wanted.reason,
        created_at=now,
        updated_at=now,
    )
    command = StartBulk(bulk=bulk, task_ids=tuple(task_ids), idempotency=idempotency)
    answer = await call.ask(command, BulkReply)
    location = f"/v1/bulk/{answer.bulk.id}"
    return reply(_whole_view(answer.bulk), 202, location=location, is_replayed=answer.replayed)


@operation(
    id="listBulk",
    summary="List bulk actions, newest first",
    description="Those of the key's project; `ops` sees all.",
    access=READ,
    query=(LIMIT, CURSOR),
    answers=(answer(Page[BulkView], "A page of them, without their failures."),),
    errors=("invalid_cursor",),
)
async def page(call: Call[None]) -> Response:
    async def read(position: Position, limit: int) -> list[BulkAction]:
        before = position[1] or _FIRST
        return await call.context.reads.bulk_actions_before(call.project, before, limit)

    listed = await keyset_page(
        call,
        msgspec.json.encode(["bulk", call.project]),
        read,
        position=lambda bulk: (0, bulk.id),
        view=_view,
    )
    return reply(listed)


@operation(
    id="showBulk",
    summary="Show how far a bulk action has come",
    description="Its progress, and the tasks that it was refused for, each with the code.",
    access=READ,
    answers=(answer(WholeBulkView, "The bulk action as it stands."),),
    errors=("not_found",),
)
async def show(call: Call[None]) -> Response:
    bulk = await call.context.reads.bulk_action(call.path["bulk_id"])
    if bulk is None or call.project not in {None, bulk.project}:
        raise ApiError("not_found", "There is no such bulk action.")
    return reply(_whole_view(bulk))


@operation(
    id="abortBulk",
    summary="Stop a bulk action where it stands",
    description="Idempotent. What it has done stays.",
    access=TASKS,
    body=CHANGE,
    answers=(answer(WholeBulkView, "The bulk action, aborted."),),
    errors=("not_found", "already_finished"),
)
async def abort(call: Call[Change]) -> Response:
    command = AbortBulk(bulk_id=call.path["bulk_id"], project=call.project)
    return reply(_whole_view((await call.ask(command, BulkReply)).bulk))


async def _matching(call: Call[NewBulk]) -> list[str]:
    """The tasks that match now; `too_many_tasks`."""
    wanted = call.body
    if not any(msgspec.structs.astuple(wanted.filter)):
        message = "Expected at least one condition; `createdBefore` alone means all until then"
        raise wrong_field("$.filter", message)
    project = wanted_project(call, wanted.filter.project, "$.filter.project")
    task_filter = _task_filter(wanted.filter, project, STATUSES[wanted.action])
    most = call.context.bulk_limit
    found = await call.context.reads.ids(task_filter, most=most)
    if found is None:
        raise ApiError(
            "too_many_tasks",
            f"More than {most:,} tasks match, or too many have to be looked at.",
            hint="Narrow the filter: by status, errorCode, flag or metadata, or by a time with "
            "createdAfter and createdBefore.",
        )
    return found


def _task_filter(wanted: BulkFilter, project: str | None, default: frozenset[Status]) -> TaskFilter:
    after, before = wanted.created_after, wanted.created_before
    return TaskFilter(
        project=project,
        statuses=tuple(sorted(map(Status, wanted.status or default))),
        flag=wanted.flag,
        error_code=wanted.error_code,
        provider=wanted.provider,
        snapshot=wanted.snapshot,
        launcher_id=wanted.launcher_id,
        repo_url=wanted.repo_url,
        metadata=tuple(sorted(wanted.metadata.items())),
        created_after=to_millis(after, "$.filter.createdAfter") if after else None,
        created_before=to_millis(before, "$.filter.createdBefore") if before else None,
    )


def _view(bulk: BulkAction) -> BulkView:
    return convert(BulkView, bulk, filter=msgspec.Raw(bulk.filter.encode()))


def _whole_view(bulk: BulkAction) -> WholeBulkView:
    failures = tuple(convert(BulkFailureView, failure) for failure in bulk.failed_tasks)
    return convert(WholeBulkView, bulk, filter=msgspec.Raw(bulk.filter.encode()), failures=failures)
