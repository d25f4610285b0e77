"""What `include` adds to a task: its attempts, and the deliveries of its events."""

from typing import Final

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict

from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.task import Attempt, Task
from gateway.web.context import Context
from gateway.web.deliveries.views import delivery_view
from gateway.web.http.query import Words
from gateway.web.tasks.task_access import Readable
from gateway.web.tasks.views import (
    error_view,
    sandbox_view,
    task_view,
    usage_view,
)
from gateway.wire.deliveries import DeliveryView
from gateway.wire.tasks import AttemptView, WholeTaskView
from gateway.wire.times import maybe_rfc3339, rfc3339

MOST_DELIVERIES: Final = 200
INCLUDE: Final = Words(
    name="include",
    known=("attempts", "deliveries"),
    unless_given=(),
    meaning=f"What to add: all attempts; the {MOST_DELIVERIES} newest deliveries.",
)


async def whole_task_view(context: Context, found: Readable, wanted: list[str]) -> WholeTaskView:
    """The task with what was asked for.

    Raises:
        ApiError: `forbidden`: what receivers answered is not a browser's business.
    """
    if "deliveries" in wanted and found.until is not None:
        raise ApiError(
            "forbidden",
            "A stream token does not show deliveries.",
            hint="Ask for them with an API key, or leave `deliveries` out.",
        )
    return WholeTaskView(
        **asdict(task_view(found.task, found.spec)),
        attempts=await _attempts(context, found.task) if "attempts" in wanted else UNSET,
        deliveries=await _deliveries(context, found.task) if "deliveries" in wanted else UNSET,
    )


async def _attempts(context: Context, task: Task) -> tuple[AttemptView, ...] | UnsetType:
    kept = {attempt.number: attempt for attempt in await context.reads.attempts(task.id)}
    if task.attempt not in kept:
        # The first has a row of its own only once a launcher has taken it.
        kept[task.attempt] = Attempt(
            task_id=task.id, number=task.attempt, key_id="", opened_at=task.created_at
        )
    return tuple(_attempt_view(task, kept[number]) for number in sorted(kept))


def _attempt_view(task: Task, attempt: Attempt) -> AttemptView:
    """The newest one has its usage with the task until it ends."""
    is_open = attempt.number == task.attempt and attempt.ended_at is None
    return AttemptView(
        number=attempt.number,
        status=task.status if attempt.outcome is None else attempt.outcome,
        provider=attempt.provider,
        realm=attempt.realm,
        sandbox=sandbox_view(attempt.sandbox),
        opened_at=rfc3339(attempt.opened_at),
        claimed_at=maybe_rfc3339(attempt.claimed_at),
        started_at=maybe_rfc3339(attempt.started_at),
        ended_at=maybe_rfc3339(attempt.ended_at),
        launches=attempt.launches,
        usage=usage_view(task.usage if is_open else attempt.usage),
        error=error_view(attempt.error),
    )


async def _deliveries(context: Context, task: Task) -> tuple[DeliveryView, ...] | UnsetType:
    found = await context.reads.deliveries(task.id, MOST_DELIVERIES)
    return tuple(map(delivery_view, found))
