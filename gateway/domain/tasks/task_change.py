"""The changes that one command makes to one task; `save` adds them to the unit of work."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from gateway.domain.agents.patch import PatchPiece
from gateway.domain.kernel.ids import job_id
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.job import Job, JobKind
from gateway.domain.tasks.event import Event, FlagCleared, FlagSet
from gateway.domain.tasks.fold import ENDS, apply, create
from gateway.domain.tasks.spec import Document, Spec
from gateway.domain.tasks.task import Attempt, Clocks, Task


class TaskChange:
    """Collects events, and the task, attempts and jobs that result from them."""

    def __init__(self, unit: UnitOfWork, task: Task, now: int) -> None:
        self.unit = unit
        self.policy = unit.policy
        self.task = task
        self.now = now
        self._events: list[Event] = []
        self._pieces: list[tuple[Event, PatchPiece]] = []
        self._attempts: dict[int, Attempt] = {}
        self._jobs: dict[str, Job] = {}

    @classmethod
    def opened(
        cls, unit: UnitOfWork, task_id: str, spec: Spec, now: int, *, claimable_at: int
    ) -> "TaskChange":
        """Creates a task; its queue clock starts when it may be claimed."""
        event = Event(
            task_id=task_id,
            task_seq=1,
            attempt=1,
            type="task.created",
            at=now,
            source="api",
            data=msgspec.json.encode(spec),
            actor=unit.audit.actor,
        )
        queue = claimable_at + spec.timeouts.queue_seconds * 1000
        task = replace(create(event, spec), claimable_at=claimable_at, clocks=Clocks(queue=queue))
        change = cls(unit, task, now)
        change._events.append(event)
        return change

    @property
    def attempt(self) -> Attempt | None:
        """The current attempt, if a launcher has ever taken it."""
        return self.attempt_of(self.task.attempt)

    def attempt_of(self, number: int) -> Attempt | None:
        return self._attempts.get(number) or self.unit.attempts.get((self.task.id, number))

    def living(self) -> list[Attempt]:
        """The attempts whose sandbox is not known to be gone, oldest first."""
        numbers = range(1, self.task.attempt + 1)
        known = (attempt for number in numbers if (attempt := self.attempt_of(number)))
        return [attempt for attempt in known if not attempt.is_gone]

    def put_attempt(self, attempt: Attempt) -> None:
        self._attempts[attempt.number] = attempt

    def job(self, kind: JobKind, attempt: int) -> Job | None:
        """The open job of this kind, found by its id: a search among all jobs of a batch would cost
        each command time in proportion to the others."""
        known = self.attempt_of(attempt)
        number = known.inspections if known is not None and kind == "inspect" else 1
        job = self._job_named(job_id(self.task.id, attempt, kind, number))
        return job if job is not None and job.is_open else None

    def _job_named(self, name: str) -> Job | None:
        return self._jobs.get(name) or self.unit.jobs.get(name)

    def put_job(self, job: Job) -> None:
        self._jobs[job.id] = job

    def open_job(self, kind: JobKind, attempt: Attempt, *, not_before: int) -> None:
        """Offers a job about the attempt's sandbox to its realm, or moves an open one forward."""
        job = self.job(kind, attempt.number)
        if job is not None:
            self.put_job(replace(job, not_before=min(job.not_before, not_before)))
            return
        number = 1
        if kind == "inspect":
            newest = self.attempt_of(attempt.number) or attempt
            number = newest.inspections + 1
            self.put_attempt(replace(newest, inspections=number))
        name = job_id(self.task.id, attempt.number, kind, number)
        closed = self._job_named(name)
        opened = Job(
            id=name,
            kind=kind,
            task_id=self.task.id,
            attempt=attempt.number,
            provider=attempt.provider,
            realm=attempt.realm,
            project=self.task.project,
            not_before=not_before,
            # A closed job may be reopened under its id: no old token may be valid again.
            lease=closed.lease + 1 if closed else 0,
        )
        self.put_job(opened)

    def schedule(
        self, *, claimable_at: int | msgspec.UnsetType | None = msgspec.UNSET, **clocks: int | None
    ) -> None:
        """Sets clocks, or the time at which the create job may be claimed (milliseconds)."""
        if claimable_at is msgspec.UNSET:
            claimable_at = self.task.claimable_at
        moved = replace(self.task.clocks, **clocks)
        self.task = replace(self.task, claimable_at=claimable_at, clocks=moved)

    def stop_clocks(self) -> None:
        """Stops every clock but that of the clean-up; nothing can be claimed any more."""
        clocks = self.task.clocks
        left = Clocks(cleanup=clocks.cleanup, callback=clocks.callback)
        self.task = replace(self.task, claimable_at=None, clocks=left)

    def event(
        self,
        kind: str,
        data: bytes,
        *,
        source: str,
        attempt: int | None = None,
        webhook_id: str | None = None,
        body_hash: bytes | None = None,
    ) -> Event:
        """The next event of the task, not recorded yet."""
        return Event(
            task_id=self.task.id,
            task_seq=self.task.seq + 1,
            attempt=attempt or self.task.attempt,
            type=kind,
            at=self.now,
            source=source,
            data=data,
            webhook_id=webhook_id,
            body_hash=body_hash,
            actor=self._actor(source),
        )

    def _actor(self, source: str) -> str | None:
        audit = self.unit.audit
        return {"api": audit.actor, "launcher": audit.launcher}.get(source)

    def emit(
        self, kind: str, fact: Document, *, attempt: int | None = None, source: str = "gateway"
    ) -> None:
        """Records an event of the gateway, a launcher or the API."""
        data = msgspec.json.encode(fact)
        self.record(self.event(kind, data, source=source, attempt=attempt), fact)

    def record(self, event: Event, fact: Document) -> None:
        """Records an event as it is; a refused one only takes a number."""
        self._events.append(event)
        if event.applied:
            self.task = apply(self.task, event, fact)
        else:
            self.task = replace(self.task, seq=event.task_seq)

    def attach(self, event: Event, piece: PatchPiece) -> None:
        """Stores the text of an event of this change."""
        self._pieces.append((event, piece))

    def raise_flag(self, code: str, detail: str = "") -> None:
        if not self.task.has_flag(code):
            self.emit("task.stalled", FlagSet(code=code, detail=detail))

    def lower_flag(self, *codes: str) -> None:
        for code in codes:
            if self.task.has_flag(code):
                self.emit("task.recovered", FlagCleared(code=code))

    def _later(self, event: Event) -> Mapping[str, int]:
        """Endpoints that may get the event only from a given time on: a frontend that is still
        storing that its task runs would overwrite the end of the task."""
        task = self.task
        if task.clocks.callback is None or task.endpoint_id is None or event.type not in ENDS:
            return {}
        return {task.endpoint_id: task.clocks.callback}

    def save(self) -> Task:
        """Puts everything into the unit of work, with the deliveries of the events."""
        recipients = self.unit.outbox.directory.recipients(self.task.project, self.task.endpoint_id)
        for event in self._events:
            self.unit.events.put(event)
            if recipients and event.applied:
                self.unit.deliveries.enqueue(event, recipients, self.now, later=self._later(event))
        self.unit.patches += self._pieces
        for attempt in self._attempts.values():
            self.unit.attempts.put(attempt)
        for job in self._jobs.values():
            self.unit.jobs.put(job)
        if self._events and self._events[0].task_seq == 1:
            self.unit.tasks.create(self.task)
        else:
            if self.task.concurrency_key is not None:
                self.unit.keys.move(self.unit.tasks[self.task.id], self.task, self.now)
            self.unit.tasks.put(self.task)
        return self.task
