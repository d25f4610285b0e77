"""The tables: everything that is committed, and what the schema would not take."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from msgspec.structs import replace

from gateway.domain.deliveries.commands import PostAllReply, PostReply
from gateway.domain.deliveries.endpoint import Directory, Endpoint
from gateway.domain.deliveries.own_event import EventKey, PostedEvent
from gateway.domain.invariants.task_rows import DeliveryRow
from gateway.domain.kernel.commands import Claim, SettleDelivery
from gateway.domain.kernel.idempotency import IdempotencyRecord
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.job import Job
from gateway.domain.launching.launcher import LauncherCall
from gateway.domain.launching.realm import ProviderRealm, Realm, RealmKey
from gateway.domain.operations.bulk import BulkAction
from gateway.domain.operations.switches import Pause, PauseKey
from gateway.domain.tasks.concurrency_keys import ConcurrencyHold
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import (
    LIVE,
    Attempt,
    Status,
    Task,
)


class ConstraintBroken(Exception):
    """A violated constraint of the schema."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """The body and the failures of a delivery."""

    failures: int = 0
    body: str | None = None


class Tables:
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
        self.webhooks: dict[tuple[str, int, str], bytes] = {}
        self.posted: dict[EventKey, PostedEvent] = {}
        """Own events by the application's id."""
        self.idempotency: dict[tuple[str, str, str], IdempotencyRecord] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.directory = Directory()
        """The same, as rules look at them."""
        self.deliveries: dict[tuple[str, int], DeliveryRow] = {}
        self.sent: dict[tuple[str, int], Sent] = {}
        """The rest of each delivery."""
        self.pending: dict[tuple[str, int], None] = {}
        self.calls: dict[str, LauncherCall] = {}
        self.realms: dict[RealmKey, Realm] = {}
        self.pauses: dict[PauseKey, Pause] = {}
        self.bulk_actions: dict[str, BulkAction] = {}
        self.bulk_pages: dict[str, list[tuple[str, ...]]] = {}
        self.turns: dict[str, int] = {}
        """The time of the last claim for each project."""
        self.behind: set[str] = set()
        """Tasks that others of their concurrency key stand before."""
        self.taken: dict[str, dict[int, ConcurrencyHold]] = defaultdict(dict)
        """By concurrency key, the periods in which it was taken, by their beginning."""
        self.has_orphans: Callable[[ProviderRealm], bool] = lambda _: False
        """True if a sweep of this realm would find anything; other sweeps are left out."""
        self.failed: dict[tuple[str, int], list[tuple[int, str]]] = defaultdict(list)
        """By delivery, when its attempts failed, and why."""
        self.pieces: set[tuple[str, int]] = set()
        """The events whose piece of a patch is kept."""
        self.written: list[Event] = []
        """The events of the newest commit, with their numbers."""

    def apply(self, view: UnitOfWork) -> None:
        """All of it, or an error and nothing."""
        self._refuse(view)
        moved = [view.tasks[key] for key in (*view.tasks.new, *view.tasks.changed)]
        moved = [task for task in moved if self._has_moved(task)]
        for key in (*view.tasks.new, *view.tasks.changed):
            self.tasks[key] = view.tasks[key]
            self.due[key] = view.tasks[key].due_at
        self._line_up(moved, view.policy.concurrency_per_key)
        for task_id, number in view.attempts.changed:
            self.attempts[task_id][number] = view.attempts[task_id, number]
        for name in view.jobs.changed:
            self._put_job(view.jobs[name])
        first = self.seq + 1
        self.written = [replace(event, seq=seq) for seq, event in enumerate(view.events.new, first)]
        for event in self.written:
            self.events[event.task_id].append(event)
            if event.webhook_id is not None and event.body_hash is not None:
                self.webhooks[event.task_id, event.attempt, event.webhook_id] = event.body_hash
        self._put_own_events(view, first)
        self.seq += len(view.events.new)
        self.pieces.update((event.task_id, event.task_seq) for event, _ in view.patches)
        self._put_deliveries(view, first)
        assert not view.outbox.delivery_updates, "no endpoint here is disabled"
        assert not view.outbox.deleted_endpoints, "no endpoint here is deleted"
        for endpoint in view.outbox.changed_endpoints.values():
            self.endpoints[endpoint.id] = endpoint
            self.directory.put(endpoint)
        self.idempotency.update(
            (kept.key, _numbered(kept, first)) for kept in view.idempotency.changes
        )
        self.calls.update((call.launcher_id, call) for call in view.launchers.changes)
        self.realms.update((key, view.realms[key]) for key in view.realms.changed)
        self.pauses = _kept({**self.pauses, **{p.key: p for p in view.switches.changes}})
        self.bulk_actions.update((bulk.id, bulk) for bulk in view.bulk_actions.changes)
        self.bulk_pages.update(view.bulk_actions.new)
        self.turns.update((project, view.claims.turns[project]) for project in view.claims.changed)
        for period in view.keys.changes:
            self.taken[f"{period.project}/{period.concurrency_key}"][period.taken_at] = period
        if view.pulse.at is not None:
            self.pulse_at = view.pulse.at

    def _has_moved(self, task: Task) -> bool:
        before = self.tasks.get(task.id)
        return before is None or (before.status, before.claimable_at, before.sandbox is None) != (
            task.status,
            task.claimable_at,
            task.sandbox is None,
        )

    def _line_up(self, moved: list[Task], per_key: int) -> None:
        """Of those that wait for a concurrency key, some are looked at by claims."""
        keyed = [task for task in moved if task.concurrency_key is not None]
        for task in keyed:
            self.behind.discard(task.id)
            if task.status is Status.QUEUED and task.sandbox is None:
                self.behind.add(task.id)
        for lane in dict.fromkeys(map(_lane, keyed)):
            waiting = [
                task
                for task in self.tasks.values()
                if _lane(task) == lane and task.claimable_at is not None and task.sandbox is None
            ]
            waiting.sort(key=lambda task: (task.claimable_at, task.id))
            for priority in range(10):
                first = [task.id for task in waiting if task.priority == priority][:per_key]
                self.behind.difference_update(first)

    def _refuse(self, view: UnitOfWork) -> None:
        for key in (*view.tasks.new, *view.tasks.changed):
            task = view.tasks[key]
            if task.due_at is None and not task.status.is_terminal:
                raise ConstraintBroken(f"task_is_due: {key}")
            if task.claimable_at is not None and task.status.is_terminal:
                raise ConstraintBroken(f"terminal_is_not_claimable: {key}")
            if key in view.tasks.new and key in self.tasks:
                raise ConstraintBroken(f"tasks.id: {key}")
        numbers: dict[str, int] = {}
        seen = set()
        for event in view.events.new:
            written = numbers.get(event.task_id, len(self.events[event.task_id]))
            if event.task_seq <= written:
                raise ConstraintBroken(f"events_of_task: {event.task_id} {event.task_seq}")
            numbers[event.task_id] = event.task_seq
            word = (event.task_id, event.attempt, event.webhook_id or "")
            if event.webhook_id is not None and (word in self.webhooks or word in seen):
                raise ConstraintBroken(f"events_heard: {word}")
            seen.add(word)
        self._refuse_repeated(view)
        pending_keys = [
            (new.endpoint_id, new.event.task_id, new.event.task_seq) for new in view.deliveries.new
        ]
        if len(set(pending_keys)) < len(pending_keys):
            raise ConstraintBroken(f"deliveries: {pending_keys}")

    def _refuse_repeated(self, view: UnitOfWork) -> None:
        taken = [record.key for record in view.idempotency.changes]
        if not self.idempotency.keys().isdisjoint(taken):
            raise ConstraintBroken(f"idempotency: {taken}")
        if not self.posted.keys().isdisjoint(_event_keys(view)):
            raise ConstraintBroken(f"own_events_posted: {_event_keys(view)}")

    def _put_own_events(self, view: UnitOfWork, first: int) -> None:
        for key in _event_keys(view):
            posted = view.own_events.posted[key]
            own = replace(posted.own, seq=first - 1 + posted.own.offset, offset=0)
            self.posted[key] = replace(posted, own=own)

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

    def _put_deliveries(self, view: UnitOfWork, first: int) -> None:
        if view.deliveries.new:
            numbers = {(e.task_id, e.task_seq): seq for seq, e in enumerate(view.events.new, first)}
            for new in view.deliveries.new:
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
                self.sent[key] = Sent()
                if new.status == "pending":
                    self.pending[key] = None
        for settled in view.deliveries.settled:
            self._settle(settled)

    @property
    def next_due(self) -> int | None:
        """The time at which the reconciler has work (milliseconds)."""
        realms = (realm.due_at for realm in self.realms.values())
        return min(filter(None, chain(self.due_moments(), realms)), default=None)

    def due_moments(self) -> Iterator[int | None]:
        """The times at which tasks and leases come due (milliseconds)."""
        yield from self.due.values()
        yield from (job.lease_expires_at for job in self.open_jobs.values())

    def work_for(self, claim: Claim, since: int) -> str | None:
        """A job that this launcher could have claimed since then."""
        for job in self.open_jobs.values():
            if self.is_offered(job, since) and (job.provider, job.realm) in claim.providers:
                return job.id
        call = self.calls.get(claim.launcher_id)
        pauses = (pause for pause in self.pauses.values() if pause.switch == "launching")
        if any(pause.ends_after(since) for pause in pauses) or (call and call.mode != "working"):
            return None  # which of them it concerns is not looked at here
        for task in self.tasks.values():
            is_offered = task.claimable_at is not None and task.claimable_at <= since
            attempt = self.attempts[task.id].get(task.attempt)
            is_near = (
                attempt is None
                or attempt.provider_realm is None
                or attempt.provider_realm in claim.providers
            )
            # Whether its concurrency key was free all that time is not known here.
            if claim.capacity and is_offered and is_near and task.concurrency_key is None:
                return task.id
        return None

    def is_offered(self, job: Job, now: int) -> bool:
        """True if any launcher of its realm may claim it."""
        is_free = job.leased_by is None and job.kind != "create" and job.not_before <= now
        return is_free and self.is_needed(job)

    def is_needed(self, job: Job) -> bool:
        """Not a sweep that would find nothing."""
        place = (job.provider or "", job.realm or "")
        return job.kind != "sweep" or self.has_orphans(place)

    def keys_in_use(self) -> Counter[str]:
        """The number of launching or running attempts by concurrency key."""
        return Counter(
            task.scoped_key
            for task in self.tasks.values()
            if task.concurrency_key is not None and task.status in LIVE
        )

    def _settle(self, settled: SettleDelivery) -> None:
        """Marks it as delivered, even if the delivery was held or ended meanwhile."""
        key = (settled.endpoint_id, settled.seq)
        was_pending = key in self.pending
        before = self.deliveries[key]
        is_news = was_pending or settled.status == "delivered"
        self.deliveries[key] = replace(
            before,
            status=settled.status if is_news else before.status,
            attempts=settled.attempts,
            next_attempt_at=settled.next_attempt_at if was_pending else None,
        )
        self.sent[key] = Sent(failures=settled.failures, body=settled.body or self.sent[key].body)
        if settled.reason is not None:
            self.failed[key].append((settled.at, settled.reason))
        if self.deliveries[key].status != "pending":
            self.pending.pop(key, None)


def _event_keys(view: UnitOfWork) -> list[EventKey]:
    """The applications' ids of the new own events."""
    return [(own.project, own.event_id) for own in view.own_events.new if own.event_id is not None]


def _numbered(kept: IdempotencyRecord, first: int) -> IdempotencyRecord:
    """A response as it is stored: with the number of its event."""
    answer = kept.answer
    if isinstance(answer, PostReply | PostAllReply):
        kept = replace(kept, answer=answer.numbered(first - 1))
    return kept


def _kept(pauses: dict[PauseKey, Pause]) -> dict[PauseKey, Pause]:
    """The pauses that rules look at: they may last, or queue clocks stood still in them."""
    return {
        key: pause
        for key, pause in pauses.items()
        if pause.switch == "launching" or pause.ended_at is None
    }


def _lane(task: Task) -> tuple[str, str | None, str | None]:
    """The tasks among which some stand before the others."""
    return task.project, task.concurrency_key, task.provider
