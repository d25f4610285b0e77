"""Whatever launchers, agents and people do, and whenever: the invariants of `lifecycle.md` hold.

The provider of this world is truthful: a create call lands in time or never, a name is unique,
and launchers report what there is. Everything else may come late, twice, or not at all.
"""

from collections.abc import Callable
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.read_set import Command
from gateway.domain.launching.job import Job, labels
from gateway.domain.launching.sandbox_identity import sandbox_name
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.fold import apply, create
from gateway.domain.tasks.task import TRANSITIONS, Sandbox, Status, Task
from gateway.wire.launcher import LaunchError, Process, SweptSandbox
from tests.domain.world import REALM, TASK, World

SECONDS = (1, 4, 16, 61, 125, 301, 700)
WORDS: tuple[tuple[str, dict[str, object]], ...] = (
    ("task.started", {}),
    ("task.heartbeat", {}),
    ("task.progress", {"stage": "agent"}),
    ("task.pr_created", {"prUrl": "https://github.com/acme/widgets/pull/1"}),
    ("task.completed", {"summary": "done"}),
    ("task.failed", {"error": {"stage": "agent", "code": "x", "message": "x", "retryable": True}}),
)
STALLS = st.sampled_from(["flag", "fail", "retry"])


class Installation:
    """One task, two launchers and a provider; `step` plays one move."""

    def __init__(self, **spec: object) -> None:
        self.world = World(**spec)
        self.given: list[Job] = []
        self.making: dict[int, int] = {}
        """Attempts with a create call under way, and until when it may land."""
        self.alive: dict[int, str] = {}
        self.made = 0
        self.was_refused = False
        self.world.offered.add("sweep")
        self.world.view.policy = replace(self.world.view.policy, instance_id="ins_1")
        self.moves: tuple[Callable[[int], None], ...] = (
            self.wait,
            self.wait,
            self.claim,
            self.claim,
            self.claim,
            self.create,
            self.create,
            self.deliver,
            self.deliver,
            self.finish,
            self.finish,
            self.finish,
            self.created,
            self.fail,
            self.renew,
            self.delegate,
            self.emit,
            self.emit,
            self.emit,
            self.cancel,
            self.retry,
            self.outage,
            self.desert,
            self.release,
            self.sweep,
            self.report_by_an_old_token,
            self.speak_too_late,
        )

    def step(self, move: int, choice: int) -> None:
        before = self.world.task
        act = self.moves[move % len(self.moves)]
        act(choice)
        after = self.world.task
        if before.status.is_terminal and act != self.retry:
            assert after.status is before.status
        self.check()

    def check(self) -> None:
        attempts = self.world.view.attempts.values()
        assert len(self.alive) <= 1
        assert sum(not attempt.is_gone for attempt in attempts) <= 1
        for number in self.alive:
            assert not self.world.view.attempts[TASK, number].is_gone

    def desert(self, choice: int) -> None:
        self.world.is_deserted = choice % 2 == 0

    def release(self, choice: int) -> None:
        number = choice % 3 + 1
        if number not in self.alive and number not in self.making:
            self.submit(
                c.ReleaseSandbox(task_id=TASK, project=None, attempt=number, reason="looked")
            )

    def sweep(self, choice: int) -> None:
        """Reports a sweep: complete or not, up to date or not."""
        job = self.job(choice, "sweep")
        if job is None:
            return
        ghost = choice % (self.world.task.attempt + 1)  # nobody makes one of an attempt to come
        there = {**self.alive, **({ghost: "sb-ghost"} if choice % 2 else {})}
        found = tuple(
            SweptSandbox(
                id=name,
                name=sandbox_name(TASK, number),
                labels=labels("ins_1", TASK, number),
                state="started",
            )
            for number, name in there.items()
        )
        self.submit(c.FinishJob(job_id=job.id, lease_token=job.token, sandboxes=found))
        task = self.world.task
        living = None if task.status.is_terminal else sandbox_name(TASK, task.attempt)
        orphans = [job.orphan.name for job in self.world.view.jobs.values() if job.orphan]
        assert living not in orphans or self.was_refused

    def report_by_an_old_token(self, choice: int) -> None:
        """Whatever it says: it is refused, and nothing has changed."""
        job = self.job(choice)
        if job is None or self.world.view.jobs[job.id].lease == 0:
            return
        now = self.world.view.jobs[job.id]
        token = replace(now, lease=now.lease - 1 - choice % now.lease).token
        sandbox = self.sandbox(job, "destroyed")
        reports: tuple[Command, ...] = (
            c.RenewLease(job_id=job.id, lease_token=token),
            c.ReportCreated(job_id=job.id, lease_token=token, sandbox=sandbox),
            c.FinishJob(job_id=job.id, lease_token=token, sandbox=sandbox),
            c.FailJob(
                job_id=job.id,
                lease_token=token,
                error=LaunchError(code="x", message="x", retryable=False),
            ),
            c.DelegateJob(job_id=job.id, lease_token=token, until=self.world.now + 60_000),
        )
        before = self.everything()
        self.submit(reports[choice % len(reports)])
        assert self.was_refused
        assert self.everything() == before

    def speak_too_late(self, choice: int) -> None:
        """A word of an attempt that is over is kept, and moves nothing."""
        task = self.world.task
        late = range(1, task.attempt + task.status.is_terminal)
        if not late:
            return
        kind, fields = WORDS[choice % len(WORDS)]
        number = late[choice % len(late)]
        before = self.everything()
        self.submit(self.world.word(kind, attempt=number, **fields))
        assert self.was_refused
        after = self.everything()
        kept = after[0][-1]
        assert (kept.applied, kept.attempt) == (False, number)
        assert after[0][:-1] == before[0]
        assert replace(after[1], seq=before[1].seq) == before[1]
        assert after[2] == before[2]

    def everything(self) -> tuple[list[Event], Task, tuple[object, ...]]:
        """State that a refusal must not change; the number of refused events is counted."""
        view = self.world.view
        attempts = {key: replace(one, refused=0) for key, one in view.attempts.items()}
        rest = (attempts, dict(view.jobs), dict(view.realms), len(view.deliveries.new))
        return list(view.events.new), self.world.task, rest

    def wait(self, choice: int) -> None:
        self.world.pass_seconds(SECONDS[choice % len(SECONDS)])

    def outage(self, choice: int) -> None:
        self.world.do(c.Pulse(at=self.world.now))
        self.world.now += SECONDS[choice % len(SECONDS)] * 1000
        self.world.do(c.Pulse(at=self.world.now))

    def claim(self, choice: int) -> None:
        for job in self.world.claim(f"l{choice % 2}", capacity=choice % 3):
            self.given.append(job)
            if job.kind == "create":
                assert job.attempt == self.world.task.attempt
                assert set(self.alive) <= {job.attempt}

    def create(self, choice: int) -> None:
        job = self.job(choice, "create")
        if job is None or job.attempt is None:
            return
        try:
            answer = self.world.trying(job)
        except ApiError:
            return
        if answer.create and job.attempt not in self.alive:
            limit = self.world.view.policy.create_limit
            self.making[job.attempt] = answer.create_before + limit

    def deliver(self, _choice: int) -> None:
        for attempt, until in self.making.items():
            if self.world.now <= until:
                self.made += 1
                self.alive[attempt] = f"sb-{self.made}"
        self.making.clear()

    def finish(self, choice: int) -> None:
        job = self.job(choice)
        if job is None or (job.kind == "create" and job.attempt not in self.alive):
            return
        process = Process(state=("running", "exited", "unknown")[choice % 3])
        state = "destroyed" if job.kind == "destroy" else "started"
        sandbox = self.sandbox(job, state)
        self.submit(
            c.FinishJob(job_id=job.id, lease_token=job.token, sandbox=sandbox, process=process)
        )
        if job.kind == "destroy" and not self.was_refused:
            self.alive.pop(job.attempt or 0, None)

    def created(self, choice: int) -> None:
        job = self.job(choice, "create")
        if job is not None and job.attempt in self.alive:
            self.submit(
                c.ReportCreated(
                    job_id=job.id, lease_token=job.token, sandbox=self.sandbox(job, "creating")
                )
            )

    def fail(self, choice: int) -> None:
        job = self.job(choice)
        if job is not None:
            error = LaunchError(code="x", message="x", retryable=choice % 2 == 0)
            self.submit(c.FailJob(job_id=job.id, lease_token=job.token, error=error))

    def renew(self, choice: int) -> None:
        job = self.job(choice)
        if job is not None:
            self.submit(c.RenewLease(job_id=job.id, lease_token=job.token))

    def delegate(self, choice: int) -> None:
        job = self.job(choice, "create")
        if job is not None:
            until = self.world.now + SECONDS[choice % len(SECONDS)] * 1000
            self.submit(c.DelegateJob(job_id=job.id, lease_token=job.token, until=until))

    def emit(self, choice: int) -> None:
        for attempt in self.alive:
            kind, fields = WORDS[choice % len(WORDS)]
            self.submit(self.world.word(kind, attempt=attempt, **fields))

    def cancel(self, choice: int) -> None:
        if choice % 3 == 0:
            self.submit(c.CancelTask(task_id=TASK, project="default"))

    def retry(self, _choice: int) -> None:
        self.submit(c.RetryTask(task_id=TASK, project="default"))

    def submit(self, command: Command) -> None:
        self.was_refused = False
        try:
            self.world.do(command)
        except ApiError:
            self.was_refused = True

    def job(self, choice: int, kind: str | None = None) -> Job | None:
        """A job that was handed out once, mostly a recent one."""
        fitting = [job for job in self.given if kind in {None, job.kind}]
        return fitting[-1 - choice % min(3, len(fitting))] if fitting else None

    def sandbox(self, job: Job, state: str) -> Sandbox:
        """The sandbox that its launcher finds under the name."""
        found = self.alive.get(job.attempt or 0)
        return Sandbox(
            id=found,
            name=self.world.name(job),
            provider=REALM[0],
            realm=REALM[1],
            state=state if found else "gone",
        )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    moves=st.lists(st.tuples(st.integers(0, 26), st.integers(0, 41)), min_size=20, max_size=70),
    on_stall=STALLS,
    attempts=st.integers(1, 3),
    keep=st.booleans(),
)
def test_the_invariants_hold_whatever_comes(
    moves: list[tuple[int, int]], on_stall: str, attempts: int, *, keep: bool
) -> None:
    installation = Installation(
        onStall=on_stall,
        maxAttempts=attempts,
        keepSandbox=keep,
        endpointId="ep_1",
        concurrencyKey="acme",
    )
    for move, choice in moves:
        installation.step(move, choice)
    states = _states(installation.world)
    for before, after in pairwise(states):
        assert after is before or after in TRANSITIONS[before]


def _states(world: World) -> list[Status]:
    first, *later = world.view.events.new
    task = create(first)
    states = [task.status]
    for event in later:
        if event.applied:
            task = apply(task, event, event.fact)
            states.append(task.status)
    return states
