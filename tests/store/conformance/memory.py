"""The store in memory: the same selections as the real one, without SQL.

Nothing of a batch is seen before its commit, and a commit that fails leaves nothing. That it is
faithful is shown by whole simulations that load each batch from it and from the real one.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from gateway.domain.deliveries.delivery import PARK_AFTER
from gateway.domain.deliveries.outbox import Outbox
from gateway.domain.kernel.commands import Claim
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.kernel.unit_of_work import OUTAGE, UnitOfWork
from gateway.domain.launching.job import Job
from gateway.domain.launching.provider_health import admitted
from gateway.domain.launching.realm import ProviderRealm, Realm, RealmKey, serves
from gateway.domain.operations.bulk import BulkAction
from gateway.domain.operations.switches import Pause
from gateway.domain.tasks.task import Status, Task
from gateway.store.records import DeliveryFailure, DueDeliveries, Head, PendingEndpoint
from gateway.store.sql.batch import CachedRows
from tests.store.conformance.tables import Tables

T = TypeVar("T")

OFFERED_PER_CLAIM: Final = 10


def cached_rows(tables: Tables, version: int) -> CachedRows:
    """The rows that every batch needs."""
    return CachedRows(
        version=version,
        realms={key: realm for key, realm in tables.realms.items() if realm.due_at is not None},
        pauses=tables.pauses,
        directory=tables.directory,
    )


class Load:
    """Reads the rows of a batch from the tables."""

    def __init__(
        self, tables: Tables, policy: Policy, now: int, cached: CachedRows | None = None
    ) -> None:
        self._tables = tables
        self._now = now
        cached = cached or cached_rows(tables, 0)
        outbox = Outbox(directory=cached.directory)
        self.view = UnitOfWork(policy=policy, seq=tables.seq, outbox=outbox)
        self.view.realms.update(cached.realms)
        self.view.switches.update(cached.pauses)

    def load(self, needs: Sequence[ReadSet]) -> UnitOfWork:
        """The union of what the commands need."""
        tables, view = self._tables, self.view
        for need in needs:
            for name in need.jobs:
                if name in tables.jobs:
                    view.jobs[name] = tables.jobs[name]
        if any(need.reports for need in needs):
            self._load_holders()
        claims = [need.claim for need in needs if need.claim is not None]
        if claims:
            self._load_claims(claims)
        wanted = {task for need in needs for task in need.tasks}
        wanted.update(chain.from_iterable(map(self._load_operations, needs)))
        pulses = [need.pulse_at for need in needs if need.pulse_at]
        if pulses:
            wanted.update(self._load_outage(max(pulses)))
        for key in {need.realm: None for need in needs if need.realm is not None}:
            wanted.update(self._load_stranded(key))
        wanted.update(job.task_id for job in view.jobs.values() if job.task_id is not None)
        wanted.update(view.claims.claimable)
        for task_id in sorted(wanted):
            self._load_task(task_id)
        for need in needs:
            self._load_keys(need)
        self._load_keys_in_use()
        return view

    def _load_operations(self, need: ReadSet) -> Iterator[str]:
        """Launchers, with the jobs that they hold; the tasks of bulk actions."""
        for name in self._tables.calls.keys() & set(need.held_by):
            self.view.launchers[name] = self._tables.calls[name]
        for job in self._tables.open_jobs.values():
            if job.lease_expires_at is not None and job.leased_by in need.held_by:
                self.view.jobs.setdefault(job.id, job)
        for name in need.bulk_actions:
            yield from self._load_bulk(name)

    def _load_bulk(self, name: str) -> tuple[str, ...]:
        """A bulk action, with the tasks of its next page."""
        bulk = self._tables.bulk_actions.get(name)
        if bulk is None:
            return ()
        self.view.bulk_actions[name] = bulk
        pages = self._tables.bulk_pages[name]
        if bulk.next_page >= len(pages):
            return ()
        page = self.view.bulk_actions.pages[name] = pages[bulk.next_page]
        return page

    def _load_holders(self) -> None:
        for job in self.view.jobs.values():
            call = self._tables.calls.get(job.leased_by or "")
            if call is not None:
                self.view.launchers[call.launcher_id] = call
                self._load_realms((*place, call.project) for place in call.providers)

    def _load_realms(self, keys: Iterable[RealmKey]) -> None:
        for key in keys:
            if key in self._tables.realms:
                self.view.realms.setdefault(key, self._tables.realms[key])

    def _load_stranded(self, key: RealmKey) -> Iterator[str]:
        *place, project = key
        tables, realms = self._tables, self.view.realms.values()
        for task in tables.tasks.values():
            is_placed = serves(project, task.project) and any(
                attempt.provider_realm == tuple(place) and attempt.gone_at is None
                for attempt in tables.attempts[task.id].values()
            )
            if is_placed and (task.due_at is not None or task.has_flag("realm_missing")):
                yield task.id
        live = [realm for realm in realms if realm.is_live(self._now)]
        yield from self._held_up(key, live)
        others = {realm.provider for realm in live if realm.project in ("", project)}
        if place[0] in others:
            return
        for task in tables.tasks.values():
            has_notice = task.has_flag("no_launcher") or task.clocks.no_launcher is not None
            is_its = serves(project, task.project) and (not others or task.provider == place[0])
            has_notice |= any(
                serves(realm.project, task.project) and task.provider in {None, realm.provider}
                for realm in live
            )
            if task.claimable_at is not None and is_its and not has_notice:
                yield task.id

    def _held_up(self, key: RealmKey, live: Sequence[Realm]) -> Iterator[str]:
        """Tasks to be told that launching at the realm is paused, or no longer."""
        provider, _, project = key
        switches, is_live = self.view.switches, any(realm.key == key for realm in live)
        if not is_live or not switches.has_providers:
            return
        is_held = switches.holding(key, self._now) is not None
        is_open = [realm for realm in live if switches.holding(realm.key, self._now) is None]
        for task in self._tables.tasks.values():
            is_its = serves(project, task.project) and task.provider in {None, provider}
            can_go_elsewhere = is_held and any(
                serves(realm.project, task.project) and task.provider in {None, realm.provider}
                for realm in is_open
            )
            is_new = task.has_flag("provider_down") is not is_held
            if task.claimable_at is not None and is_its and is_new and not can_go_elsewhere:
                yield task.id

    def _load_task(self, task_id: str) -> None:
        tables, view = self._tables, self.view
        task = tables.tasks.get(task_id)
        if task is None:
            return
        view.tasks.load([task])
        for number, attempt in tables.attempts[task_id].items():
            view.attempts[task_id, number] = attempt
        for name in tables.jobs_of_task[task_id]:
            job = tables.jobs[name]
            if job.is_open or job.kind in {"create", "destroy"}:
                view.jobs[name] = job

    def _load_keys(self, need: ReadSet) -> None:
        tables, view = self._tables, self.view
        for word in need.webhooks:
            if word in tables.webhooks:
                view.events.seen[word] = tables.webhooks[word]
        for posted in need.own_events:
            if posted in tables.posted:
                view.own_events.posted[posted] = tables.posted[posted]
        for lane in need.lanes:
            view.own_events.lanes[lane] = max(
                (event.task_seq for event in tables.events.get(lane, ())), default=0
            )
        if need.idempotency and (key := need.idempotency.key) in tables.idempotency:
            view.idempotency[key] = tables.idempotency[key]

    def _load_outage(self, at: int) -> list[str]:
        tables, view = self._tables, self.view
        view.pulse.last = tables.pulse_at
        if view.pulse.last is None or at - view.pulse.last <= OUTAGE:
            return []
        for job in tables.open_jobs.values():
            if job.lease_expires_at is not None:
                view.jobs[job.id] = job
        return _due(tables, at)

    def _load_claims(self, claims: Sequence[Claim]) -> None:
        tables, view, now = self._tables, self.view, self._now
        launchers = {claim.launcher_id for claim in claims}
        for name in launchers & tables.calls.keys():
            view.launchers[name] = tables.calls[name]
        self._load_realms({(*p, claim.project) for claim in claims for p in claim.providers})
        for job in tables.open_jobs.values():
            if job.lease_expires_at is not None and job.leased_by in launchers:
                view.jobs.setdefault(job.id, job)
        providers = set(chain.from_iterable(claim.providers for claim in claims))
        offered = _in_turn(
            _offered(tables, providers, now),
            lane=lambda job: (job.provider, job.realm, job.project),
            order=lambda job: (job.not_before, job.id),
            turn=lambda job: (job.not_before, job.id),
        )
        for job in offered[: OFFERED_PER_CLAIM * len(claims)]:
            view.jobs.setdefault(job.id, job)
            view.claims.offered[job.id] = None
        if any(claim.capacity for claim in claims):
            self._load_claimable(claims)

    def _load_claimable(self, claims: Sequence[Claim]) -> None:
        tables, view = self._tables, self.view
        waiting = (task for task in tables.tasks.values() if task.claimable_at is not None)
        projects = {task.project: tables.turns.get(task.project, 0) for task in waiting}
        view.claims.turns = {
            name: turn for name, turn in projects.items() if not self._is_paused(name)
        }
        if projects:
            view.claims.turn = max(tables.turns.values(), default=0)
        limit = sum(claim.capacity for claim in claims)
        sets = {
            tuple(admitted(view, claim.providers, claim.project, self._now))
            for claim in claims
            if claim.capacity
        }
        for places in filter(None, sets):
            claimable = _in_turn(
                (task for task in tables.tasks.values() if self._is_claimable(task, set(places))),
                lane=lambda task: task.project,
                order=lambda task: (-task.priority, task.claimable_at, task.id),
                turn=lambda task: (view.claims.turns[task.project], task.project),
            )
            view.claims.claimable |= dict.fromkeys(task.id for task in claimable[:limit])

    def _is_claimable(self, task: Task, providers: set[tuple[str, str]]) -> bool:
        if task.claimable_at is None or task.claimable_at > self._now:
            return False
        if task.id in self._tables.behind or self._is_paused(task.project):
            return False
        if task.provider is not None and task.provider not in {name for name, _ in providers}:
            return False
        attempt = self._tables.attempts[task.id].get(task.attempt)
        place = attempt.provider_realm if attempt is not None else None
        if place is not None and place not in providers:
            return False
        if task.concurrency_key is None or task.status is not Status.QUEUED:
            return True
        in_use = self._tables.keys_in_use()[task.scoped_key]
        return in_use < self.view.policy.concurrency_per_key

    def _is_paused(self, project: str) -> bool:
        return self.view.switches.pause("launching", project, self._now) is not None

    def _load_keys_in_use(self) -> None:
        tables, view = self._tables, self.view
        living = [
            task
            for task in view.tasks.values()
            if task.concurrency_key is not None and not task.status.is_terminal
        ]
        if not living:
            return
        keys = {task.scoped_key: None for task in living}
        counts = tables.keys_in_use()
        view.keys.in_use = {key: counts[key] for key in keys if counts[key]}
        queued = (task.claimable_at for task in living if task.status is Status.QUEUED)
        since = min((at for at in queued if at is not None), default=self._now)
        for key in keys:
            periods = tables.taken[key].values() if key in tables.taken else ()
            ended = [
                each for each in periods if each.freed_at is not None and each.freed_at > since
            ]
            found = (*ended, *(each for each in periods if each.freed_at is None))
            if found:
                view.keys.holds[key] = found


class MemoryReads:
    """The reads of loops and handlers."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def running_bulk_actions(self) -> list[BulkAction]:
        """The actions that have tasks left, the oldest first."""
        found = self._tables.bulk_actions.values()
        return sorted((bulk for bulk in found if bulk.status == "running"), key=lambda it: it.id)

    async def due_tasks(self, now: int, limit: int) -> list[str]:
        """Tasks with a clock that is due."""
        return _due(self._tables, now)[:limit]

    async def due_jobs(self, now: int, limit: int) -> list[str]:
        """Jobs whose lease has run out."""
        due = [
            (job.lease_expires_at, job.id)
            for job in self._tables.open_jobs.values()
            if job.lease_expires_at is not None and job.lease_expires_at <= now
        ]
        return [name for _, name in sorted(due)[:limit]]

    async def due_realms(self, now: int, limit: int) -> list[RealmKey]:
        """Realms whose launchers may have gone, or are heard again."""
        due = [
            (realm.due_at, place)
            for place, realm in self._tables.realms.items()
            if realm.due_at is not None and realm.due_at <= now
        ]
        return [place for _, place in sorted(due)[:limit]]

    async def next_due(self) -> int | None:
        """The time at which the reconciler has work."""
        return self._tables.next_due

    async def next_claimable(
        self, providers: Sequence[ProviderRealm], now: int, project: str = ""
    ) -> int | None:
        """The time at which the next job becomes claimable by launchers of these providers."""
        return self.next_work(providers, now, self._tables.is_needed)

    def next_work(
        self, providers: Sequence[ProviderRealm], now: int, is_needed: Callable[[Job], bool]
    ) -> int | None:
        """The same, of the jobs that are needed."""
        wanted = {None, *(provider for provider, _ in providers)}
        tasks = (
            task.claimable_at or 0
            for task in self._tables.tasks.values()
            if task.id not in self._tables.behind and task.provider in wanted
        )
        jobs = (
            job.not_before
            for job in self._tables.open_jobs.values()
            if job.leased_by is None
            and job.kind != "create"
            and (job.provider, job.realm) in providers
            and is_needed(job)
        )
        ends = (
            at or 0
            for pause in self._tables.pauses.values()
            if pause.switch == "launching" and pause.ended_at is None
            for at in (pause.until, pause.probe_at)
        )
        return min((at for at in chain(tasks, jobs, ends) if at > now), default=None)

    async def pauses(self, now: int) -> list[Pause]:
        """All pauses that last."""
        return [pause for pause in self._tables.pauses.values() if pause.is_on(now)]

    async def due_deliveries(
        self, now: int, endpoint_ids: Sequence[str]
    ) -> dict[str, DueDeliveries]:
        """The deliveries that may be sent to each of these endpoints."""
        return {name: self._due(now, name) for name in endpoint_ids}

    def _due(self, now: int, endpoint_id: str) -> DueDeliveries:
        tables = self._tables
        heads: list[Head] = []
        nexts: list[int] = []
        held: set[str] = set()
        pending = 0
        for key in tables.pending:
            if key[0] != endpoint_id:
                continue
            pending += 1
            pending_delivery, sent = tables.deliveries[key], tables.sent[key]
            at = pending_delivery.next_attempt_at or 0
            if at > now:
                nexts.append(at)
            elif pending_delivery.task_id not in held:
                heads.append(
                    Head(
                        endpoint_id=endpoint_id,
                        project=self._project_of(endpoint_id),
                        seq=pending_delivery.seq,
                        task_id=pending_delivery.task_id,
                        attempts=pending_delivery.attempts,
                        failures=sent.failures,
                        trigger="auto",
                        due_at=at,
                    )
                )
            if sent.failures < PARK_AFTER:
                held.add(pending_delivery.task_id)
        heads.sort(key=lambda head: (head.due_at, head.seq))
        return DueDeliveries(
            heads=tuple(heads), next_at=min(nexts, default=None), is_all=len(heads) == pending
        )

    async def pending_endpoints(self, after: str, limit: int) -> list[PendingEndpoint]:
        """The next endpoints behind this one that are owed something."""
        first: dict[str, int] = {}
        for key in self._tables.pending:
            at = self._tables.deliveries[key].next_attempt_at or 0
            first[key[0]] = min(at, first.get(key[0], at))
        return [
            PendingEndpoint(endpoint_id=name, project=self._project_of(name), at=first[name])
            for name in sorted(name for name in first if name > after)[:limit]
        ]

    def _project_of(self, endpoint_id: str) -> str:
        endpoint = self._tables.directory.find(endpoint_id)
        return "" if endpoint is None else endpoint.project

    async def has_pending(self) -> bool:
        """True if any endpoint has undelivered events."""
        return bool(self._tables.pending)

    async def failures(self) -> list[DeliveryFailure]:
        """The last ones of the endpoints to which nothing got through since, oldest first."""
        tables = self._tables
        found = []
        for key in tables.pending:
            endpoint = tables.directory.find(key[0])
            if endpoint is None or endpoint.failing_since is None:
                continue
            found += [
                DeliveryFailure(
                    endpoint_id=endpoint.id,
                    failing_since=endpoint.failing_since,
                    at=at,
                    reason=reason,
                )
                for at, reason in tables.failed[key]
                if at >= endpoint.failing_since
            ]
        return sorted(found, key=lambda each: each.at)

    async def changed_at(self, endpoint_ids: Sequence[str]) -> dict[str, int]:
        """The time of the last change of each endpoint."""
        found = map(self._tables.directory.find, endpoint_ids)
        return {each.id: each.updated_at for each in found if each is not None}


class MemoryTransaction:
    """One batch: loads, writes, and commits when its block ends."""

    def __init__(self, store: "MemoryStore") -> None:
        self._store = store
        self._needs: Sequence[ReadSet] = ()
        self._view: UnitOfWork | None = None

    async def load(self, needs: Sequence[ReadSet], policy: Policy, now: int) -> UnitOfWork:
        """The union of what the commands need."""
        self._needs = needs
        return Load(self._store.tables, policy, now).load(needs)

    async def write(self, unit: UnitOfWork, _topics: Collection[str], /) -> None:
        """Kept for the commit."""
        self._view = unit

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None and self._view is not None:
            await self._store.commit(self._needs, self._view)


class MemoryStore:
    """The store of the ledger; `commit` decides what the disk does to each batch."""

    def __init__(self, tables: Tables, commit: "Commit") -> None:
        self.tables = tables
        self.reads = MemoryReads(tables)
        self._commit = commit

    def transaction(self) -> MemoryTransaction:
        """Begins."""
        return MemoryTransaction(self)

    async def commit(self, needs: Sequence[ReadSet], view: UnitOfWork) -> None:
        """Makes it last, unless the disk does not."""
        await self._commit(needs, view, lambda: self.finish(view))

    def finish(self, view: UnitOfWork) -> None:
        """It lasts."""
        self.tables.apply(view)


Commit = Callable[[Sequence[ReadSet], UnitOfWork, Callable[[], Any]], Awaitable[None]]


def _due(tables: Tables, now: int) -> list[str]:
    due = [(at, task_id) for task_id, at in tables.due.items() if at is not None and at <= now]
    return [task_id for _, task_id in sorted(due)]


def _offered(tables: Tables, providers: set[ProviderRealm], now: int) -> Iterator[Job]:
    for job in tables.open_jobs.values():
        if (job.provider, job.realm) in providers and tables.is_offered(job, now):
            yield job


def _in_turn(
    found: Iterable[T],
    *,
    lane: Callable[[T], Any],
    order: Callable[[T], Any],
    turn: Callable[[T], Any],
) -> list[T]:
    """The first of each lane, then the second of each, and so on."""
    lanes: dict[Any, list[T]] = {}
    for each in sorted(found, key=order):
        lanes.setdefault(lane(each), []).append(each)
    ranked = (each for queue in lanes.values() for each in enumerate(queue))
    return [each for _, each in sorted(ranked, key=lambda pair: (pair[0], turn(pair[1])))]
