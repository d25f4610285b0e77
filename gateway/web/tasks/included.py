"""Attempts and deliveries that `include` adds to a task."""

from typing import Final

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict

from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Attempt, Task
from gateway.web.context import Context
from gateway.web.convert import convert
from gateway.web.deliveries.deliveries import delivery_view
from gateway.web.http.access import StreamReader
from gateway.web.http.call import Call
from gateway.web.http.query import Choices
from gateway.web.tasks.views import error_view, sandbox_view, task_view
from gateway.wire.deliveries import DeliveryView
from gateway.wire.tasks import AttemptView, UsageView, WholeTaskView

MOST_DELIVERIES: Final = 200
INCLUDE: Final = Choices(
    name="include",
    known=("attempts", "deliveries"),
    default=(),
    meaning=f"What to add: all attempts; the {MOST_DELIVERIES} newest deliveries.",
)


async def whole_task_view(call: Call[None], task: Task, spec: Spec) -> WholeTaskView:
    """The task with the requested parts; deliveries, with the answers of receivers, are `forbidden`
    for a stream token."""
    context, wanted = call.context, call[INCLUDE]
    if "deliveries" in wanted and isinstance(call.caller, StreamReader):
        raise ApiError(
            "forbidden",
            "A stream token does not show deliveries.",
            hint="Ask for them with an API key, or leave `deliveries` out.",
        )
    deliveries: tuple[DeliveryView, ...] | UnsetType = UNSET
    if "deliveries" in wanted:
        found = await context.reads.deliveries(task.id, MOST_DELIVERIES)
        deliveries = tuple(map(delivery_view, found))
    return WholeTaskView(
        **asdict(task_view(task, spec)),
        attempts=await _attempts(context, task) if "attempts" in wanted else UNSET,
        deliveries=deliveries,
    )


async def _attempts(context: Context, task: Task) -> tuple[AttemptView, ...]:
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
    return convert(
        AttemptView,
        attempt,
        status=task.status if attempt.outcome is None else attempt.outcome,
        sandbox=sandbox_view(attempt.sandbox),
        usage=convert(UsageView, task.usage if is_open else attempt.usage),
        error=error_view(attempt.error),
    )
