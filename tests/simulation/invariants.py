"""The invariants of the lifecycle, held against every commit and against the end of the run.

What `slipgate verify` reads from a database is judged by its own rules, event by event; the rest
needs to know what was acknowledged, or how things stood before.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from msgspec.structs import replace

from gateway.domain.deliveries.commands import PostReply
from gateway.domain.deliveries.delivery import PARK_AFTER
from gateway.domain.invariants.endpoint import EndpointHistory
from gateway.domain.invariants.history import History
from gateway.domain.invariants.own_event import LaneLog
from gateway.domain.invariants.task_rows import Problem
from gateway.domain.invariants.task_rows import TaskRows as Rows
from gateway.domain.invariants.task_state import check_rows
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.kernel.unit_of_work import OUTAGE, UnitOfWork
from gateway.domain.tasks.event import (
    QUIET,
    Event,
    Launching,
    Retried,
)
from gateway.domain.tasks.task import CLOCK_NAMES, Attempt, Task
from tests.store.conformance.tables import Tables

SECRET: Final = b"sk-never-to-be-seen"
LAUNCHES: Final = 3
WATCHER: Final = "ep_2"
"""The endpoint that hears of the others."""
FINAL: Final = {"delivered", "dead", "superseded"}


PAUSED_WITHIN: Final = 5_000
"""Milliseconds."""
_STOPPED: Final = {"task.launching": "launching", "task.expired": "launching"}
"""The switch that stops each."""


class Violated(AssertionError):
    """An invariant does not hold."""


class Invariants:
    """Knows what was acknowledged, and the tasks as their events alone tell them."""

    def __init__(self, tables: Tables) -> None:
        self.commits = 0
        self._tables = tables
        self._histories: dict[str, History] = {}
        self._endpoint_histories: dict[str, EndpointHistory] = {}
        self._lanes: dict[str, LaneLog] = {}
        self._posted: dict[str, int] = {}
        """Numbers of own events, by the application's id."""
        self._accepted: set[str] = set()
        self._seen_webhooks: set[tuple[str, int, str]] = set()
        self._confirmed: set[tuple[str, int]] = set()
        self._launches: Counter[tuple[str, int]] = Counter()
        self._acted: Counter[tuple[str, str]] = Counter()
        self._retries: Counter[tuple[str, int]] = Counter()
        self._tokens: set[str] = set()
        self._started: set[tuple[str, int]] = set()
        self.alive: Callable[[str], Iterable[int]] = lambda _: ()
        """The attempts of a task whose sandbox really is there, and did not come late."""

    def accepted(self, task_id: str) -> None:
        """A frontend was told that its task is stored."""
        self._accepted.add(task_id)
        _hold(task_id in self._tables.tasks, f"{task_id} was acknowledged and is not there")

    def posted(self, event_id: str, reply: PostReply) -> None:
        """An application was told the number of its event: always the same for one id."""
        seq = self._posted.setdefault(event_id, reply.own.seq)
        where = f"{event_id} is event {reply.own.seq}"
        _hold(seq == reply.own.seq, f"{where}, and was {seq}")
        stored = self._tables.posted.get((reply.own.project, event_id))
        _hold(stored is not None and stored.own.seq == seq, f"{where}, and is not there")

    def creates(self, task_id: str, number: int, now: int) -> None:
        """A launcher begins a create call: only in the window that `trying` has opened."""
        attempt = self._tables.attempts[task_id].get(number)
        before = attempt.create_before if attempt is not None else None
        is_open = before is not None and now <= before
        _hold(is_open, f"a create call for {task_id}, {number} began at {now}, allowed to {before}")

    def drained(self, task_id: str, number: int, words: Iterable[str]) -> None:
        """A destroy deletes a spool: what stood in it was heard, applied or refused."""
        for name in words:
            is_seen = (task_id, number, name) in self._tables.webhooks
            _hold(is_seen, f"{name} of {task_id} was deleted with the spool, and never heard")

    def granted(self, token: str) -> None:
        """A launcher is given a job: its token is a new one."""
        _hold(token not in self._tokens, f"{token} was given out twice")
        self._tokens.add(token)

    def renewed(self, job_id: str, token: str) -> None:
        """A lease was renewed: nobody else is offered the job under the same token, nor has it."""
        job = self._tables.jobs[job_id]
        # One batch may renew a lease and end it.
        has_gone_on = job.lease > int(token.partition(".")[0]) + 1
        _hold(not has_gone_on, f"{token} of {job_id} was renewed, and another lease had begun")
        is_answered = job.answered_lease == job.lease or not job.is_open
        is_offered = job.token == token and job.leased_by is None and not is_answered
        _hold(not is_offered, f"{token} was renewed, and the job is offered")

    def acknowledged(self, task_id: str, attempt: int, webhook_id: str) -> None:
        """An agent was told that its word is stored."""
        word = (task_id, attempt, webhook_id)
        self._seen_webhooks.add(word)
        _hold(word in self._tables.webhooks, f"{word} was acknowledged and is not in the log")

    def check(self, needs: Sequence[ReadSet], view: UnitOfWork, apply: Callable[[], Any]) -> None:
        """A commit: what it changes, and what it must not."""
        self.commits += 1
        tables = self._tables
        before = {key: tables.tasks[key] for key in view.tasks.changed}
        last_pulse = tables.pulse_at
        apply()
        for event in tables.written:
            self._take(event)
            is_whole = (
                event.type != "task.patch" or (event.task_id, event.task_seq) in tables.pieces
            )
            _hold(is_whole, f"the text of event {event.task_seq} of {event.task_id} is not kept")
        touched = dict.fromkeys((*view.tasks.new, *view.tasks.changed))
        touched |= dict.fromkeys(task_id for task_id, _ in view.attempts.changed)
        for key in touched:
            self._judge(key)
        for key, old in before.items():
            _hold_hard_clock(old, tables.tasks[key], view)
        if len(needs) == 1:
            _hold_refused(view, before, tables)
        self._hold_deliveries(view)
        self._hold_endpoints(view)
        _hold_outage(view, last_pulse)

    def settled(self, sandboxes: Iterable[str], *, asked_for: int) -> None:
        """The end: faults have stopped, time went on, and nothing is left that could happen."""
        made = len(self._tables.tasks)
        _hold(made <= asked_for, f"{asked_for} tasks were asked for, and {made} were made")
        for what in self._unsettled(sorted(sandboxes)):
            raise Violated(what)
        for task_id in self._accepted:
            self.accepted(task_id)
        missing = self._seen_webhooks - self._tables.webhooks.keys()
        _hold(not missing, f"acknowledged words are not in the log: {missing}")

    def _unsettled(self, sandboxes: Sequence[str]) -> Iterator[str]:
        tables = self._tables
        for task in tables.tasks.values():
            if not task.status.is_terminal:
                yield f"{task.id} is {task.status} for ever"
            if task.flags:
                yield f"{task.id} ended with the flags {task.flags}"
        if sandboxes:
            yield f"sandboxes are left: {sandboxes}"
        jobs = sorted(job.id for job in tables.open_jobs.values() if job.kind != "sweep")
        if jobs:
            yield f"jobs are left: {jobs}"
        for bulk in tables.bulk_actions.values():
            if bulk.status == "running" or bulk.taken != bulk.matched:
                yield f"{bulk.id} is {bulk.status} with {bulk.taken} of {bulk.matched}"
        for delivery in tables.deliveries.values():
            if delivery.status not in FINAL:
                yield f"delivery {delivery.seq} is {delivery.status} for ever"

    def _take(self, event: Event) -> None:
        if event.is_own:
            _hold_none(self._lanes.setdefault(event.task_id, LaneLog(event.task_id)).take(event))
            return
        if event.is_about_endpoint:
            told = self._endpoint_histories.setdefault(
                event.task_id, EndpointHistory(event.task_id)
            )
            _hold_none(told.take(event))
            return
        history = self._histories.setdefault(event.task_id, History(event.task_id))
        before = history.task
        _hold_none(history.take(event))
        where = f"{event.type} {event.task_seq} of {event.task_id}"
        _hold(event.source == "agent" or SECRET not in event.data, f"{where} tells a secret")
        if not event.applied or before is None:
            return
        is_retry = event.type == "task.retried" and event.source == "api"
        is_left = before.status.is_terminal and history.task and not history.task.status.is_terminal
        _hold(is_retry or not is_left, f"{where} leaves {before.status}")
        self._hold_switches(event, where)
        if event.source == "agent":
            self._started.add((event.task_id, event.attempt))
        if event.type == "sandbox.trying":
            self._hold_try(event, where)
        elif event.type in {"task.launching", "task.retried"}:
            self._count(event, where)

    def _hold_switches(self, event: Event, where: str) -> None:
        """Nothing is launched, taken or expired while it is paused; a drained launcher gets
        nothing new."""
        switch = _STOPPED.get(event.type)
        project = self._tables.tasks[event.task_id].project
        for pause in self._tables.pauses.values():
            is_old = pause.since < event.at and pause.is_on(event.at) and not pause.provider
            is_its = pause.switch == switch and pause.concerns(project)
            _hold(not (is_old and is_its), f"{where} while {switch} was paused")
        fact = event.fact
        if isinstance(fact, Launching):
            call = self._tables.calls[fact.launcher_id]
            is_drained = call.mode == "drained" and (call.mode_since or 0) < event.at
            _hold(not is_drained, f"{where}, and {fact.launcher_id} is drained")
        bulk_id = getattr(fact, "bulk_id", None)
        if bulk_id is not None:
            self._acted[bulk_id, event.task_id] += 1
            once = self._acted[bulk_id, event.task_id] == 1
            _hold(once, f"{where}: {bulk_id} acts twice on a task")

    def sends(self, endpoint_id: str, seq: int) -> None:
        """An attempt at a delivery begins: nothing in its lane is left behind it but what is
        parked."""
        task_id = self._tables.deliveries[endpoint_id, seq].task_id
        for key in self._tables.pending:
            is_before = key[0] == endpoint_id and key[1] < seq
            if is_before and self._tables.deliveries[key].task_id == task_id:
                is_parked = self._tables.sent[key].failures >= PARK_AFTER
                _hold(is_parked, f"event {seq} of {task_id} overtakes {key[1]} to {endpoint_id}")

    def sends_at(self, now: int) -> None:
        """A pause is heard of within seconds."""
        for pause in self._tables.pauses.values():
            is_old = pause.switch == "delivering" and pause.since < now - PAUSED_WITHIN
            is_its = pause.concerns("default") and pause.is_on(now)
            _hold(not (is_old and is_its), "an attempt began while delivering was paused")

    def _count(self, event: Event, where: str) -> None:
        """A launch is the attempt's first, or follows one that was counted; there is no fourth."""
        fact = event.fact
        if isinstance(fact, Retried):
            key = (event.task_id, fact.attempt)
            if fact.attempt == event.attempt and fact.launch == self._launches[key]:
                self._launches[key] -= 1  # its provider is paused: that launch does not count
                return
            self._retries[event.task_id, fact.attempt] += 1
            return
        assert isinstance(fact, Launching)
        key = (event.task_id, event.attempt)
        self._launches[key] += 1
        count = self._launches[key]
        called_for = self._retries[key] + (event.attempt == 1)
        _hold(fact.launch == count, f"{where} says {fact.launch} and is the {count}. launch")
        _hold(count <= min(called_for, LAUNCHES), f"{where} is a launch that nothing called for")
        for number, attempt in self._tables.attempts[event.task_id].items():
            is_over = number >= event.attempt or attempt.is_gone
            _hold(is_over, f"{where}: the sandbox of attempt {number} is not gone")

    def _hold_try(self, event: Event, where: str) -> None:
        """Nothing is created once the agent has spoken, or beside another attempt's sandbox."""
        has_spoken = (event.task_id, event.attempt) in self._started
        _hold(not has_spoken, f"{where} came after the agent had spoken")
        others = [number for number in self.alive(event.task_id) if number != event.attempt]
        _hold(not others, f"{where}: the sandbox of attempt {others} is alive")

    def _judge(self, key: str) -> None:
        tables = self._tables
        task = tables.tasks[key]
        attempts = tuple(tables.attempts[key].values())
        rows = Rows(
            task=task,
            due_at=task.due_at,
            attempts=attempts,
            jobs=tuple(tables.jobs[name] for name in tables.jobs_of_task[key]),
        )
        _hold_none(check_rows(rows, self._histories[key]))
        late = {each.number for each in attempts if self._is_late(each)}
        living = [each.number for each in attempts if not each.is_gone and each.number not in late]
        _hold(len(living) <= 1, f"{key} has living sandboxes of attempts {living}")

    def _is_late(self, attempt: Attempt) -> bool:
        """True if it came after its attempt was over and its sandbox confirmed gone: nobody could
        know of it, and it is refused and cleaned up."""
        key = (attempt.task_id, attempt.number)
        if attempt.gone_at is not None:
            self._confirmed.add(key)
        is_over = attempt.number < self._tables.tasks[attempt.task_id].attempt
        return is_over and key in self._confirmed

    def _hold_endpoints(self, view: UnitOfWork) -> None:
        for endpoint in view.outbox.changed_endpoints.values():
            if endpoint.id in self._endpoint_histories:
                _hold_none(self._endpoint_histories[endpoint.id].check_row(endpoint))

    def _hold_deliveries(self, view: UnitOfWork) -> None:
        pending = {(d.event.task_id, d.event.task_seq) for d in view.deliveries.new}
        watcher = self._tables.directory.find(WATCHER)
        new = (each for each in view.outbox.subscriptions if each.endpoint_id == WATCHER)
        since = max((each.after_seq for each in new), default=0)
        for event in self._tables.written:
            if event.is_own:
                wanted = watcher is not None and event.seq > since
            elif event.is_about_endpoint:
                wanted = watcher is not None and event.task_id != WATCHER
            else:
                has_callback = self._tables.tasks[event.task_id].endpoint_id is not None
                wanted = has_callback and event.applied and event.type not in QUIET
            has = (event.task_id, event.task_seq) in pending
            _hold(has == wanted, f"{event.type} {event.task_seq}: delivery {has}, wanted {wanted}")


def _hold_none(problems: Iterator[Problem]) -> None:
    for problem in problems:
        raise Violated(str(problem))


def _hold_hard_clock(old: Task, new: Task, view: UnitOfWork) -> None:
    """Nothing but an outage moves it."""
    was, now = old.clocks.run, new.clocks.run
    if old.attempt != new.attempt or view.pulse.at is not None or was is None or now is None:
        return
    _hold(was == now, f"the hard clock of {new.id} was moved from {was} to {now}")


def _hold_refused(view: UnitOfWork, before: dict[str, Task], tables: Tables) -> None:
    """A refused word moves no state, flag or clock."""
    if not view.events.new or any(event.applied for event in view.events.new):
        return
    for key, old in before.items():
        new = tables.tasks[key]
        _hold(replace(old, seq=new.seq) == new, f"a refused word has changed {key}")


def _hold_outage(view: UnitOfWork, last: int | None) -> None:
    """After an outage nobody is judged by it."""
    at = view.pulse.at
    if at is None or last is None or at - last <= OUTAGE:
        return
    for job in view.jobs.values():
        if job.is_open and job.lease_expires_at is not None:
            kept = job.lease_expires_at >= at + view.policy.lease
            _hold(kept, f"after an outage the lease of {job.id} ends early")
    for task in view.tasks.values():
        for name in CLOCK_NAMES:
            due = getattr(task.clocks, name)
            _hold(due is None or not last < due <= at, f"{name} of {task.id} was due in an outage")


def _hold(holds: object, what: str) -> None:
    if not holds:
        raise Violated(what)
