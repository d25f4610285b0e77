"""Metrics of what the ledger commits: ends and times of tasks, attempts at deliveries."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from gateway.domain.explain.advice import ADVICE
from gateway.domain.kernel.commands import SettleDelivery
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.fold import ENDS
from gateway.metrics.family import Family, Labels, Numbers, Times
from gateway.metrics.histogram import LONG, Histogram

NO_CODE: Final = "none"
"""The code of an end without an error."""
OTHER: Final = "other"
"""Any code that is not in the documentation: an agent can send whatever it likes."""
_TIMES: Final = {
    "slipgate_task_queue_seconds": "From the time a task may be launched to its launch.",
    "slipgate_task_launch_seconds": "From the launch of an attempt to its first sign of life.",
    "slipgate_task_run_seconds": "From the first sign of life of an attempt to the task's end.",
}


class _Error(msgspec.Struct):
    code: str = OTHER


class _End(msgspec.Struct):
    """The part of a final event that is counted; the rest, a patch perhaps, is skipped."""

    error: _Error | None = None


_END: Final = msgspec.json.Decoder(_End)


class OutcomeMetrics:
    """A follower of the ledger: it counts what a commit contains, and reads nothing."""

    def __init__(self) -> None:
        self._ends: Counter[Labels] = Counter()
        self._attempts: Counter[Labels] = Counter()
        self._queue, self._launch, self._run = (Histogram(LONG) for _ in _TIMES)

    def follow(self, unit: UnitOfWork) -> None:
        """Counts a commit."""
        for event in unit.events.new:
            if event.applied and event.task_id in unit.tasks:
                self._count_event(unit, event)
        for task_id in unit.tasks.changed:
            self._count_launch(unit, task_id)
        for settled in unit.deliveries.settled:
            if settled.is_attempt:
                self._attempts[_result(settled), settled.reason or NO_CODE] += 1

    def families(self) -> Iterator[Family]:
        """The families of this moment."""
        yield Numbers(
            kind="counter",
            name="slipgate_tasks_ended",
            what="Ends of tasks by state and error code.",
            labels=("status", "code"),
            values=self._ends,
        )
        histograms = (self._queue, self._launch, self._run)
        for (name, what), times in zip(_TIMES.items(), histograms, strict=True):
            yield Times(name=name, what=what, values={(): times})
        yield Numbers(
            kind="counter",
            name="slipgate_delivery_attempts",
            what="Attempts at deliveries by result and reason.",
            labels=("result", "reason"),
            values=self._attempts,
        )

    def _count_event(self, unit: UnitOfWork, event: Event) -> None:
        task = unit.tasks[event.task_id]
        if event.type == "task.launching":
            before = unit.tasks.loaded.get(event.task_id)
            begun = before.claimable_at if before else task.created_at
            _count_span(self._queue, begun, event.at)
        if status := ENDS.get(event.type):
            self._ends[status.value, _code(event)] += 1
            _count_span(self._run, task.started_at, event.at)

    def _count_launch(self, unit: UnitOfWork, task_id: str) -> None:
        task, before = unit.tasks.get(task_id), unit.tasks.loaded.get(task_id)
        if task is None or task.started_at is None or before is None or before.started_at:
            return
        attempt = unit.attempts.get((task_id, task.attempt))
        _count_span(self._launch, attempt.claimed_at if attempt else None, task.started_at)


def _count_span(times: Histogram, begun: int | None, at: int) -> None:
    if begun is not None:
        times.count(max(0, at - begun) / 1000)


def _code(event: Event) -> str:
    error = _END.decode(event.data).error
    if error is None:
        return NO_CODE
    return error.code if error.code in ADVICE else OTHER


def _result(settled: SettleDelivery) -> str:
    if settled.reason is None:
        return "delivered"
    return "dead" if settled.status == "dead" else "failed"
