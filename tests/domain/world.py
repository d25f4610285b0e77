"""A world of one view: commands go in, time passes by hand, the fold is checked after each step."""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from gateway.domain.decide import decide
from gateway.domain.invariants.task_rows import DeliveryRow, TaskRows
from gateway.domain.invariants.task_state import check_task
from gateway.domain.kernel import commands as c
from gateway.domain.kernel.answers import AgentEventReply, Answer, ClaimReply, TryReply
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import Command
from gateway.domain.kernel.unit_of_work import NewDelivery, UnitOfWork
from gateway.domain.launching.job import Job
from gateway.domain.launching.sandbox_identity import sandbox_name
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.fold import apply, create
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Clocks, Sandbox, Status, Task

TASK = typeid("task", 1_790_000_000_000, 7)
REALM = ("local", "here")
SECRET = b"s" * 32


def fold(events: Iterable[Event]) -> Task:
    """The task of these events; the first one must be `task.created`."""
    stream = iter(events)
    task = create(next(stream))
    for event in stream:
        if event.applied:
            task = apply(task, event, event.fact)
        else:
            task = replace(task, seq=event.task_seq)
    return task


class World:
    """Keeps a view alive across commands, as a database would."""

    def __init__(self, **spec: object) -> None:
        self.now = 1_790_000_000_000
        self.view = UnitOfWork(policy=Policy(key_id="k1"))
        self.words = 0
        self.offered = {"inspect", "destroy"}
        """Kinds of jobs that claims may get beside creates; sweeps are a matter of their own."""
        self.is_deserted = False
        """True if all launchers have gone; otherwise they call all the time."""
        made = msgspec.convert(
            {
                "project": "default",
                "repoUrl": "https://github.com/acme/widgets",
                "prompt": "Add a health endpoint",
                "title": "Health",
                "branchName": "slipgate/health",
                "snapshot": "agent-1",
                **spec,
            },
            Spec,
        )
        self.do(c.CreateTask(task_id=TASK, spec=made))

    @property
    def task(self) -> Task:
        """The task as it stands."""
        return self.view.tasks[TASK]

    @property
    def status(self) -> str:
        """Its state, as a word."""
        return self.task.status.value

    @property
    def types(self) -> list[str]:
        """The types of all its events, oldest first."""
        return [event.type for event in self.view.events.new]

    def do(self, command: Command) -> Answer:
        """Decides, then checks what must hold after every step."""
        self.view.claims.claimable = {TASK: None} if TASK in self.view.tasks else {}
        self.view.claims.offered = {
            job.id: None
            for job in self.view.jobs.values()
            if job.kind in self.offered and job.is_open and not job.is_held(self.now)
        }
        try:
            return decide(self.view, command, self.now)
        finally:
            self.check()

    def refuses(self, command: Command) -> str:
        """The code with which it is refused."""
        try:
            self.do(command)
        except ApiError as refusal:
            return refusal.code
        raise AssertionError(f"{command} was granted")

    def check(self) -> None:
        """`task row = fold(its events)`, no gap in their numbers, and a next due time."""
        events = self.view.events.new
        numbered = [replace(event, seq=seq) for seq, event in enumerate(events, start=1)]
        rows = TaskRows(
            task=self.task,
            due_at=self.task.due_at,
            attempts=tuple(self.view.attempts.values()),
            jobs=tuple(job for job in self.view.jobs.values() if job.task_id is not None),
            deliveries=tuple(_row(delivery) for delivery in self.view.deliveries.new),
        )
        problems = [str(problem) for problem in check_task(rows, numbered)]
        assert not problems, problems
        assert [event.task_seq for event in events] == list(range(1, len(events) + 1))
        bare = replace(self.task, clocks=Clocks(), claimable_at=None)
        assert fold(events) == bare
        assert self.task.status.is_terminal or self.task.due_at is not None
        assert not (self.task.status.is_terminal and self.task.claimable_at is not None)

    def pass_seconds(self, seconds: float) -> None:
        """Time passes; the reconciler looks once at its end."""
        self.now += round(seconds * 1000)
        for job in list(self.view.jobs.values()):
            self.do(c.JobDue(job_id=job.id))
        for key, realm in list(self.view.realms.items()):
            if not self.is_deserted:
                self.view.realms.put(realm.called(self.now))
            self.do(c.RealmDue(key=key))
        self.do(c.TaskDue(task_id=TASK))

    def hold_key(self, *, by_another: bool) -> None:
        """Another task takes the concurrency key of this one, or frees it."""
        waits = replace(self.task, status=Status.QUEUED)
        holds = replace(self.task, status=Status.RUNNING)
        before, after = (waits, holds) if by_another else (holds, waits)
        self.view.keys.move(before, after, self.now)

    def claim(self, launcher: str = "l1", **claim: object) -> list[Job]:
        """The jobs a launcher gets."""
        wanted = {"capacity": 1, "holding": tuple(self.view.jobs), **claim}
        answer = self.do(
            msgspec.convert(
                {"launcher_id": launcher, "providers": [REALM], "secret": SECRET, **wanted},
                c.Claim,
                strict=False,
            )
        )
        assert isinstance(answer, ClaimReply)
        return [claimed.job for claimed in answer.jobs]

    def name(self, job: Job) -> str:
        """The name of the job's sandbox."""
        return sandbox_name(TASK, job.attempt or 0)

    def trying(self, job: Job) -> TryReply:
        """The launcher says that it is about to create."""
        answer = self.do(
            c.TrySandbox(
                job_id=job.id,
                lease_token=job.token,
                provider=REALM[0],
                realm=REALM[1],
                name=self.name(job),
                number=1,
            )
        )
        assert isinstance(answer, TryReply)
        return answer

    def done(self, job: Job, state: str = "started", **report: object) -> None:
        """The launcher ends the job and tells the sandbox's state."""
        sandbox = Sandbox(
            id=f"sb-{job.attempt}",
            name=self.name(job),
            provider=REALM[0],
            realm=REALM[1],
            snapshot="agent-1",
            state=state,
        )
        finished = c.FinishJob(job_id=job.id, lease_token=job.token, sandbox=sandbox)
        self.do(replace(finished, **report))

    def launch(self) -> Job:
        """Claimed, tried and started."""
        (job,) = self.claim()
        assert self.trying(job).create
        self.done(job)
        return job

    def emit(self, kind: str, *, attempt: int = 1, **fields: object) -> AgentEventReply:
        """The agent speaks."""
        answer = self.do(self.word(kind, attempt=attempt, **fields))
        assert isinstance(answer, AgentEventReply)
        return answer

    def word(self, kind: str, *, attempt: int = 1, **fields: object) -> c.ReportAgentEvent:
        """An authentic webhook with an id of its own."""
        self.words += 1
        data = msgspec.json.encode(fields)
        return c.ReportAgentEvent(
            task_id=TASK,
            attempt=attempt,
            key_id="k1",
            type=kind,
            data=data,
            webhook_id=f"msg_{self.words}",
            body_hash=data[:32],
        )


def _row(delivery: NewDelivery) -> DeliveryRow:
    """As it would stand in the database; with one task, all numbers are its own."""
    number = delivery.event.task_seq
    return DeliveryRow(
        endpoint_id=delivery.endpoint_id,
        seq=number,
        task_id=TASK,
        task_seq=number,
        status=delivery.status,
        attempts=0,
        next_attempt_at=delivery.next_attempt_at,
    )
