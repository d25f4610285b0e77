"""A task's events, taken in one by one: folded as always, and each held against the rules."""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.domain.invariants.task_rows import Problem, ProblemName
from gateway.domain.tasks.event import Event, Fact, SandboxReported
from gateway.domain.tasks.fold import apply, create
from gateway.domain.tasks.task import TRANSITIONS, Task
from gateway.wire.decode import WrongShape
from gateway.wire.redaction import ours_in
from gateway.wire.scrubbing import holds_secret

_GONE: Final = frozenset({"gone", "destroyed"})
_ENDS_OF_SANDBOXES: Final = frozenset({"sandbox.destroyed", "sandbox.released"})


class History:
    """What the events tell, as far as they have been taken."""

    def __init__(self, task_id: str) -> None:
        self.task_id = task_id
        self.task: Task | None = None
        """The fold; None as long as there was no `task.created`."""
        self.length = 0
        self.sandboxes: set[int] = set()
        """Attempts whose sandbox may be alive."""
        self.numbers: dict[int, int] = {}
        """Each event's number within the task, by its number in the log."""
        self.applied: dict[int, str] = {}
        """The types of events that endpoints may get, by their numbers in the log."""
        self.refused: set[int] = set()
        self._webhook_ids: set[tuple[int, str]] = set()
        self._last = 0
        self._is_whole = True

    def take(self, event: Event) -> Iterator[Problem]:
        """The next event, and what is wrong with it."""
        self.length += 1
        self.numbers[event.seq] = event.task_seq
        yield from self._check_numbers(event)
        yield from self._check_secrets(event)
        yield from self._check_webhook_id(event)
        if event.applied:
            yield from self._apply(event)
        else:
            self.refused.add(event.seq)
            if self.task is not None:
                self.task = replace(self.task, seq=event.task_seq)

    def _check_numbers(self, event: Event) -> Iterator[Problem]:
        if event.task_seq != self.length and self._is_whole:
            self._is_whole = False
            detail = f"event {self.length} is missing, after it comes {event.task_seq}"
            yield self._problem("gap_in_task_seq", detail)
        if event.seq <= self._last:
            detail = (
                f"event {event.task_seq} has number {event.seq}, the one before it {self._last}"
            )
            yield self._problem("seq_not_increasing", detail)
        self._last = event.seq

    def _check_secrets(self, event: Event) -> Iterator[Problem]:
        if contains_secret(event):
            detail = f"event {event.task_seq} ({event.type}) holds what looks like a secret"
            yield self._problem("secret_in_event", detail)

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
            detail = f"event {event.task_seq} ({event.type}) is not one that this version knows"
            yield self._problem("event_unreadable", detail)
            return
        if self.task is not None:
            yield from self._check_step(self.task, event, after)
        yield from self._check_sandbox(event, fact)
        self.task = after

    def _check_step(self, before: Task, event: Event, after: Task) -> Iterator[Problem]:
        told = f"event {event.task_seq} ({event.type})"
        if event.source == "agent" and before.status.is_terminal:
            yield self._problem("word_after_end", f"{told} was applied to a {before.status} task")
        if event.source == "agent" and event.attempt != before.attempt:
            detail = f"{told} of attempt {event.attempt} was applied in attempt {before.attempt}"
            yield self._problem("stale_word", detail)
        if after.status is not before.status and after.status not in TRANSITIONS[before.status]:
            detail = f"{told} made it {after.status} when it was {before.status}"
            yield self._problem("forbidden_transition", detail)

    def _check_sandbox(self, event: Event, fact: Fact) -> Iterator[Problem]:
        others = self.sandboxes - {event.attempt}
        if event.type in {"task.launching", "sandbox.trying"} and others:
            detail = (
                f"event {event.task_seq} ({event.type}) of attempt {event.attempt} came before the "
                f"sandbox of attempt {min(others)} was gone"
            )
            yield self._problem("two_sandboxes", detail)
        if event.type in {"sandbox.trying", "sandbox.created"}:
            self.sandboxes.add(event.attempt)
        is_gone = isinstance(fact, SandboxReported) and fact.sandbox.state in _GONE
        if event.type in _ENDS_OF_SANDBOXES or is_gone:
            self.sandboxes.discard(event.attempt)

    def _problem(self, name: ProblemName, detail: str) -> Problem:
        return Problem(name=name, subject=self.task_id, detail=detail)


def contains_secret(event: Event) -> bool:
    """Whether something stands in it that should have been redacted."""
    if event.type == "task.created":  # a prompt reaches the agent as it was written
        return ours_in(event.data)
    try:
        return holds_secret(event.type, event.data)
    except WrongShape:  # what cannot be read is looked through as it is
        return ours_in(event.data)
