"""The history of a task: its events are folded, and each is checked against the rules."""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.domain.invariants.task_rows import Problem, ProblemName
from gateway.domain.tasks.event import Event, SandboxReported
from gateway.domain.tasks.fold import apply, create
from gateway.domain.tasks.spec import Document
from gateway.domain.tasks.task import TRANSITIONS, Task
from gateway.wire.decode import WrongShape
from gateway.wire.redaction import contains_our_secret
from gateway.wire.scrubbing import contains_secret

_GONE: Final = frozenset({"gone", "destroyed"})
_SANDBOX_ENDS: Final = frozenset({"sandbox.destroyed", "sandbox.released"})


class EventLog:
    """The events of one task, endpoint, alert or lane."""

    def __init__(self, subject: str) -> None:
        self.numbers: dict[int, int] = {}
        """Number within the subject, by global number."""
        self.applied: dict[int, str] = {}
        """Types of the events that endpoints may get, by global number."""
        self.refused: set[int] = set()
        """Global numbers of the events that no endpoint gets."""
        self._subject: Final = subject
        self._last_seq = 0
        self._last: Event | None = None

    def _follow(self, event: Event) -> Iterator[Problem]:
        """Adds the next event of a subject whose oldest ones may have been pruned."""
        last, self._last = self._last, event
        self.applied[event.seq] = event.type
        if last is not None and event.task_seq != last.task_seq + 1:
            detail = f"event {event.task_seq} comes after {last.task_seq}"
            yield self._problem("gap_in_task_seq", detail)
        yield from self._check_any(event)

    def _check_count(self, count: int) -> Iterator[Problem]:
        if self._last is not None and self._last.task_seq != count:
            detail = f"its row counts {count} events, the newest is {self._last.task_seq}"
            yield self._problem("row_differs", detail)

    def _check_any(self, event: Event) -> Iterator[Problem]:
        yield from self._check_order(event)
        if _contains_secret(event):
            detail = f"{_named(event)} holds what looks like a secret"
            yield self._problem("secret_in_event", detail)

    def _check_order(self, event: Event) -> Iterator[Problem]:
        self.numbers[event.seq] = event.task_seq
        if event.seq <= self._last_seq:
            before = f"the one before it {self._last_seq}"
            detail = f"event {event.task_seq} has number {event.seq}, {before}"
            yield self._problem("seq_not_increasing", detail)
        self._last_seq = event.seq

    def _unreadable(self, event: Event) -> Problem:
        detail = f"{_named(event)} is not one that this version knows"
        return self._problem("event_unreadable", detail)

    def _problem(self, name: ProblemName, detail: str) -> Problem:
        return Problem(name=name, subject=self._subject, detail=detail)


class History(EventLog):
    """The events of a task so far."""

    def __init__(self, task_id: str) -> None:
        super().__init__(task_id)
        self.task: Task | None = None
        """The fold; None until `task.created`."""
        self.length = 0
        self.sandboxes: set[int] = set()
        """Attempts whose sandbox may be alive."""
        self._webhook_ids: set[tuple[int, str]] = set()
        self._is_complete = True

    def take(self, event: Event) -> Iterator[Problem]:
        """Adds the next event, and yields its problems."""
        self.length += 1
        if event.task_seq != self.length and self._is_complete:
            self._is_complete = False
            detail = f"event {self.length} is missing, after it comes {event.task_seq}"
            yield self._problem("gap_in_task_seq", detail)
        yield from self._check_any(event)
        yield from self._check_webhook_id(event)
        if event.applied:
            yield from self._apply(event)
        else:
            self.refused.add(event.seq)
            if self.task is not None:
                self.task = replace(self.task, seq=event.task_seq)

    def _check_webhook_id(self, event: Event) -> Iterator[Problem]:
        if event.webhook_id is None:
            return
        name = (event.attempt, event.webhook_id)
        if name in self._webhook_ids:
            detail = f"event {event.task_seq} has the webhook-id of an earlier one of its attempt"
            yield self._problem("webhook_twice", detail)
        self._webhook_ids.add(name)

    def _apply(self, event: Event) -> Iterator[Problem]:
        self.applied[event.seq] = event.type
        try:
            fact = event.fact
            after = create(event) if self.task is None else apply(self.task, event, fact)
        except (KeyError, TypeError, msgspec.MsgspecError):
            yield self._unreadable(event)
            return
        if self.task is not None:
            yield from self._check_step(self.task, event, after)
        yield from self._check_sandbox(event, fact)
        self.task = after

    def _check_step(self, before: Task, event: Event, after: Task) -> Iterator[Problem]:
        name = _named(event)
        if event.source == "agent" and before.status.is_terminal:
            yield self._problem("word_after_end", f"{name} was applied to a {before.status} task")
        if event.source == "agent" and event.attempt != before.attempt:
            detail = f"{name} of attempt {event.attempt} was applied in attempt {before.attempt}"
            yield self._problem("stale_word", detail)
        if after.status is not before.status and after.status not in TRANSITIONS[before.status]:
            detail = f"{name} made it {after.status} when it was {before.status}"
            yield self._problem("forbidden_transition", detail)

    def _check_sandbox(self, event: Event, fact: Document) -> Iterator[Problem]:
        others = self.sandboxes - {event.attempt}
        if event.type in {"task.launching", "sandbox.trying"} and others:
            too_early = f"came before the sandbox of attempt {min(others)} was gone"
            detail = f"{_named(event)} of attempt {event.attempt} {too_early}"
            yield self._problem("two_sandboxes", detail)
        if event.type in {"sandbox.trying", "sandbox.created"}:
            self.sandboxes.add(event.attempt)
        is_gone = isinstance(fact, SandboxReported) and fact.sandbox.state in _GONE
        if event.type in _SANDBOX_ENDS or is_gone:
            self.sandboxes.discard(event.attempt)


def _named(event: Event) -> str:
    return f"event {event.task_seq} ({event.type})"


def _contains_secret(event: Event) -> bool:
    """True if the event contains something that should have been redacted."""
    if event.type == "task.created":  # the agent gets the prompt unredacted
        return contains_our_secret(event.data)
    try:
        return contains_secret(event.type, event.data)
    except WrongShape:  # unreadable data are searched as plain text
        return contains_our_secret(event.data)
