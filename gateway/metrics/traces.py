"""One trace per task: its request, commit, queue, launch, sandbox, agent and deliveries."""

import hashlib
import re
from collections.abc import Callable, Mapping
from itertools import count
from typing import Final, Literal

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import Event, Progress
from gateway.domain.tasks.fold import ENDS
from gateway.domain.tasks.task import Attempt, Frozen, Status, Task

Kind = Literal["internal", "server", "client"]
_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
STAGES: Final = frozenset({"clone", "setup", "agent", "patch", "validate", "push", "pr"})
"""Stages that name a span; an agent may report others, and spans have few names."""
_SAMPLED: Final = 0x01
_GOOD: Final = frozenset({Status.COMPLETED, Status.NEEDS_REVIEW, Status.CANCELLED})
_NEXT_ATTEMPT: Final = frozenset({"task.retried", *ENDS})
_SANDBOX_ENDS: Final = frozenset({"sandbox.destroyed", "sandbox.released"})


class Span(Frozen, frozen=True, kw_only=True):
    """A timed operation of a trace; ids in hexadecimal, times in milliseconds."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start: int
    end: int
    kind: Kind = "internal"
    attributes: Mapping[str, str | int] = {}
    is_error: bool = False


Export = Callable[[Span], None]


class Trace(Frozen, frozen=True, kw_only=True):
    """The trace of a task, from its `traceparent`."""

    id: str
    parent_id: str
    """The caller's span, or that of the task if the gateway began the trace."""

    def span_id(self, name: str) -> str:
        """The same for the same name: a restart forgets no parent."""
        return _digest(f"{self.id}/{name}", 8)


class Traces:
    """A follower of the ledger; without `export` it does nothing."""

    def __init__(self, export: Export | None = None, clock: Callable[[], int] = lambda: 0) -> None:
        self._export = export
        self._clock = clock
        self._deliveries = count()
        """Numbers since the start: one event may go to many endpoints in one millisecond."""
        self._stages: dict[str, tuple[str, int]] = {}
        """The agent's stage of each running task, and its beginning."""

    def traceparent(self, given: str | None, task_id: str) -> str | None:
        """The caller's, or a new one if spans are exported."""
        if given is not None or self._export is None:
            return given
        trace_id = _digest(task_id, 16)
        return f"00-{trace_id}-{_digest(f'{trace_id}/{task_id}', 8)}-01"

    @property
    def is_on(self) -> bool:
        return self._export is not None

    def record_request(self, task: Task, name: str, began: int) -> None:
        """The request that created the task, which is answered now."""
        if self.is_on:
            self._record(task, name, began, self._clock(), kind="server", key="request")

    def record_delivery(
        self, traceparent: str | None, began: int, attributes: Mapping[str, str | int]
    ) -> None:
        """An attempt at a delivery that ends now; it failed if it has an `error.type`."""
        trace = _trace_of(traceparent)
        if self._export is None or trace is None:
            return
        span = Span(
            trace_id=trace.id,
            span_id=trace.span_id(f"delivery/{began}/{next(self._deliveries)}"),
            parent_id=trace.parent_id,
            name="delivery",
            start=began,
            end=self._clock(),
            kind="client",
            attributes=attributes,
            is_error="error.type" in attributes,
        )
        self._export(span)

    def follow(self, unit: UnitOfWork) -> None:
        """Records the spans that a commit ends."""
        if self._export is None:
            return
        for event in unit.events.new:
            task = unit.tasks.get(event.task_id)
            if task is not None and event.applied and task.traceparent is not None:
                self._follow(unit, task, event)
        for task_id in unit.tasks.changed:
            self._follow_start(unit, task_id)

    def _follow(self, unit: UnitOfWork, task: Task, event: Event) -> None:
        attempt = unit.attempts.get((task.id, event.attempt))
        if event.type == "task.created":
            self._record(task, "ledger", event.at, self._clock())
        elif event.type == "task.launching":
            before = unit.tasks.loaded.get(task.id)
            queued_at = before.claimable_at if before else task.created_at
            self._record_of(task, event, "queue", queued_at)
        elif event.type in _SANDBOX_ENDS and attempt is not None:
            named = {} if attempt.sandbox is None else {"slipgate.sandbox": attempt.sandbox.name}
            self._record_of(task, event, "sandbox", attempt.tried_at, named)
        elif event.type == "task.progress" and isinstance(fact := event.fact, Progress):
            self._change_stage(task, event, fact.stage)
        if event.type in _NEXT_ATTEMPT:
            self._change_stage(task, event, None)
        if status := ENDS.get(event.type):
            self._record_end(task, event, status)

    def _follow_start(self, unit: UnitOfWork, task_id: str) -> None:
        """The launch is over when the task begins to run."""
        task, before = unit.tasks[task_id], unit.tasks.loaded.get(task_id)
        is_new = task.started_at is not None and (before is None or before.started_at is None)
        attempt: Attempt | None = unit.attempts.get((task_id, task.attempt))
        if not is_new or attempt is None or attempt.claimed_at is None:
            return
        place: dict[str, str | int] = {"slipgate.attempt": attempt.number}
        place |= {"slipgate.provider": attempt.provider} if attempt.provider else {}
        begun, ended = attempt.claimed_at, task.started_at or 0
        self._record(task, "launch", begun, ended, key=f"launch/{attempt.number}", more=place)

    def _change_stage(self, task: Task, event: Event, stage: str | None) -> None:
        before = self._stages.get(task.id)
        if before is not None and before[0] == stage:
            return
        if before is not None:
            name = before[0] if before[0] in STAGES else "step"
            more = {"slipgate.stage": before[0]}
            self._record_of(task, event, f"agent {name}", before[1], more)
        if stage is None:
            self._stages.pop(task.id, None)
        else:
            self._stages[task.id] = (stage, event.at)

    def _record_of(
        self,
        task: Task,
        event: Event,
        name: str,
        begun: int | None,
        more: Mapping[str, str | int] = {},
    ) -> None:
        """A span of an attempt that ends with the event."""
        if begun is not None:
            attempt = {"slipgate.attempt": event.attempt, **more}
            key = f"{name}/{event.task_seq}"
            self._record(task, name, begun, event.at, key=key, more=attempt)

    def _record_end(self, task: Task, event: Event, status: Status) -> None:
        trace = _trace_of(task.traceparent)
        if self._export is None or trace is None:
            return
        root = _root_of(trace, task)
        more: dict[str, str | int] = {"slipgate.status": status.value}
        if task.error is not None:
            more["error.type"] = task.error.code
        span = Span(
            trace_id=trace.id,
            span_id=root,
            parent_id=None if trace.parent_id == root else trace.parent_id,
            name="task",
            start=task.created_at,
            end=event.at,
            attributes={**_attributes(task), **more},
            is_error=status not in _GOOD,
        )
        self._export(span)

    def _record(
        self,
        task: Task,
        name: str,
        begun: int,
        ended: int,
        *,
        kind: Kind = "internal",
        key: str = "",
        more: Mapping[str, str | int] = {},
    ) -> None:
        trace = _trace_of(task.traceparent)
        if self._export is None or trace is None:
            return
        span = Span(
            trace_id=trace.id,
            span_id=trace.span_id(f"{task.id}/{key or name}"),
            parent_id=_root_of(trace, task),
            name=name,
            start=begun,
            end=max(begun, ended),
            kind=kind,
            attributes={**_attributes(task), **more},
        )
        self._export(span)


def _trace_of(traceparent: str | None) -> Trace | None:
    """None without one, and for one whose caller does not sample it."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if found is None or not int(found[3], 16) & _SAMPLED:
        return None
    return Trace(id=found[1], parent_id=found[2])


def _root_of(trace: Trace, task: Task) -> str:
    """The span of the task; `traceparent` names it where the gateway began the trace."""
    return trace.span_id(task.id)


def _attributes(task: Task) -> dict[str, str | int]:
    return {"slipgate.task.id": task.id, "slipgate.project": task.project}


def _digest(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()
