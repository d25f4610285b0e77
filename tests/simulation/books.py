"""The books: everything that is committed, and what the schema would not take."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain

from msgspec.structs import replace

from gateway.domain.commands import SettleDelivery
from gateway.domain.endpoint import Directory
from gateway.domain.event import Event
from gateway.domain.invariants.books import DeliveryRow
from gateway.domain.job import Job
from gateway.domain.realm import Place, Realm
from gateway.domain.taken import Taken
from gateway.domain.task import LIVE, Attempt, Task
from gateway.domain.view import Delivery, LauncherCall, Remembered, View


class ConstraintBroken(Exception):
    """What the schema would not take."""


class Books:
    """Everything that is committed: it outlives every crash of the gateway."""

    def __init__(self) -> None:
        self.seq = 0
        self.pulse_at: int | None = None
        self.tasks: dict[str, Task] = {}
        self.due: dict[str, int | None] = {}
        """By task, its earliest clock: the column the reconciler reads."""
        self.attempts: dict[str, dict[int, Attempt]] = defaultdict(dict)
        self.jobs: dict[str, Job] = {}
        self.open_jobs: dict[str, Job] = {}
        self.jobs_of_task: dict[str, list[str]] = defaultdict(list)
        self.events: dict[str, list[Event]] = defaultdict(list)
        self.heard: dict[tuple[str, int, str], bytes] = {}
        self.remembered: dict[tuple[str, str, str], Remembered] = {}
        self.directory = Directory()
        self.deliveries: dict[tuple[str, int], DeliveryRow] = {}
        self.delivered: dict[tuple[str, int], tuple[Delivery, str | None]] = {}
        """With the event of each delivery, and the body it was first sent with."""
        self.failures: dict[tuple[str, int], int] = {}
        """By delivery, its place in the schedule."""
        self.pending: dict[tuple[str, int], None] = {}
        self.calls: dict[str, LauncherCall] = {}
        self.realms: dict[Place, Realm] = {}
        self.taken: dict[str, dict[int, Taken]] = defaultdict(dict)
        """By concurrency key, the periods in which it was taken, by their beginning."""
        self.written: list[Event] = []
        """The events of the newest commit, with their numbers."""

    def apply(self, view: View) -> None:
        """All of it, or an error and nothing."""
        self._refuse(view)
        for key in (*view.new_tasks, *view.changed_tasks):
            self.tasks[key] = view.tasks[key]
            self.due[key] = view.tasks[key].due_at
        for task_id, number in view.changed_attempts:
            self.attempts[task_id][number] = view.attempts[task_id, number]
        for name in view.changed_jobs:
            self._put_job(view.jobs[name])
        first = self.seq + 1
        self.written = [replace(event, seq=seq) for seq, event in enumerate(view.new_events, first)]
        for event in self.written:
            self.events[event.task_id].append(event)
            if event.webhook_id is not None and event.body_hash is not None:
                self.heard[event.task_id, event.attempt, event.webhook_id] = event.body_hash
        self.seq += len(view.new_events)
        self._put_deliveries(view, first)
        if view.outbox.is_changed:
            self.directory = view.outbox.directory
        self.remembered.update((kept.key, kept) for kept in view.new_remembered)
        self.calls.update((call.launcher_id, call) for call in view.calls)
        self.realms.update((place, view.realms[place]) for place in view.changed_realms)
        for period in view.changed_taken:
            self.taken[f"{period.project}/{period.concurrency_key}"][period.taken_at] = period
        if view.pulse_at is not None:
            self.pulse_at = view.pulse_at

    def _refuse(self, view: View) -> None:
        for key in (*view.new_tasks, *view.changed_tasks):
            task = view.tasks[key]
            if task.due_at is None and not task.status.is_terminal:
                raise ConstraintBroken(f"task_is_due: {key}")
            if task.claimable_at is not None and task.status.is_terminal:
                raise ConstraintBroken(f"terminal_is_not_claimable: {key}")
            if key in view.new_tasks and key in self.tasks:
                raise ConstraintBroken(f"tasks.id: {key}")
        numbers: dict[str, int] = {}
        heard = set()
        for event in view.new_events:
            written = numbers.get(event.task_id, len(self.events[event.task_id]))
            if event.task_seq <= written:
                raise ConstraintBroken(f"events_of_task: {event.task_id} {event.task_seq}")
            numbers[event.task_id] = event.task_seq
            word = (event.task_id, event.attempt, event.webhook_id or "")
            if event.webhook_id is not None and (word in self.heard or word in heard):
                raise ConstraintBroken(f"events_heard: {word}")
            heard.add(word)
        owed = [
            (new.endpoint_id, new.event.task_id, new.event.task_seq) for new in view.new_deliveries
        ]
        if len(set(owed)) < len(owed):
            raise ConstraintBroken(f"deliveries: {owed}")

    def _put_job(self, job: Job) -> None:
        before = self.jobs.get(job.id)
        if before is None:
            self.jobs_of_task[job.task_id or ""].append(job.id)
        elif before.lease > job.lease:
            job = replace(job, lease=before.lease)
        self.jobs[job.id] = job
        if job.is_open:
            self.open_jobs[job.id] = job
        else:
            self.open_jobs.pop(job.id, None)

    def _put_deliveries(self, view: View, first: int) -> None:
        if view.new_deliveries:
            numbers = {(e.task_id, e.task_seq): seq for seq, e in enumerate(view.new_events, first)}
            for new in view.new_deliveries:
                key = (new.endpoint_id, numbers[new.event.task_id, new.event.task_seq])
                self.deliveries[key] = DeliveryRow(
                    endpoint_id=key[0],
                    seq=key[1],
                    task_id=new.event.task_id,
                    task_seq=new.event.task_seq,
                    status=new.status,
                    attempts=0,
                    next_attempt_at=new.next_attempt_at,
                )
                self.delivered[key] = (new, None)
                if new.status == "pending":
                    self.pending[key] = None
        for settled in view.settled:
            self._settle(settled)

    @property
    def next_due(self) -> int | None:
        """When the reconciler has work (milliseconds)."""
        realms = (realm.due_at for realm in self.realms.values())
        return min(filter(None, chain(self.due_moments(), realms)), default=None)

    def due_moments(self) -> Iterator[int | None]:
        """When tasks and leases come due (milliseconds)."""
        yield from self.due.values()
        yield from (job.lease_expires_at for job in self.open_jobs.values())

    def keys_in_use(self) -> Counter[str]:
        """How many attempts of each concurrency key are launching or running."""
        return Counter(
            task.scoped_key
            for task in self.tasks.values()
            if task.concurrency_key is not None and task.status in LIVE
        )

    def _settle(self, settled: SettleDelivery) -> None:
        key = (settled.endpoint_id, settled.seq)
        if key not in self.pending:
            return
        self.deliveries[key] = replace(
            self.deliveries[key],
            status=settled.status,
            attempts=settled.attempts,
            next_attempt_at=settled.next_attempt_at,
        )
        self.failures[key] = settled.failures
        self.delivered[key] = (self.delivered[key][0], settled.body)
        if settled.status != "pending":
            del self.pending[key]
