"""Situations as a gateway would read them, made by the rules themselves."""

from collections.abc import Callable

from msgspec.structs import replace

from gateway.domain.deliveries.delivery import DeliveryState
from gateway.domain.explain import explain
from gateway.domain.explain.explanation import NEWEST, ExplainInput, jobs_of
from gateway.domain.kernel import commands as c
from gateway.domain.launching.job import Job
from gateway.domain.launching.launcher import LauncherCall
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Flag, Sandbox
from gateway.wire.launcher import LaunchError
from gateway.wire.times import rfc3339
from tests.domain.world import REALM, TASK, World

Scene = Callable[[], ExplainInput]
SANDBOX = f"slipgate-{TASK[-20:]}-1"


def now(world: World, **more: object) -> ExplainInput:
    """The situation of a world as it stands."""
    task = world.task
    spec = world.view.events.new[0].fact
    assert isinstance(spec, Spec)
    attempts = tuple(world.view.attempts[key] for key in sorted(world.view.attempts))
    found = ExplainInput(
        now=world.now,
        policy=world.view.policy,
        task=task,
        spec=spec,
        attempts=attempts,
        jobs=tuple(
            world.view.jobs[name] for name in jobs_of(task, attempts) if name in world.view.jobs
        ),
        launchers=tuple(sorted(world.view.launchers.changes, key=lambda call: -call.at)),
        events=tuple(world.view.events.new[-NEWEST:]),
    )
    return replace(found, **more)


def told(scene: Scene) -> tuple[str, str | None, list[str]]:
    """The sentence, what it waits for, and what happens next, each with its UTC time."""
    explanation = explain(scene())
    steps = [f"{rfc3339(step.at)[11:19]} {step.what}" for step in explanation.next]
    return explanation.summary, explanation.waiting_for, steps


def flagged(given: ExplainInput, code: str, *, ago: float, detail: str = "") -> ExplainInput:
    """With a flag that was set so many seconds ago."""
    flag = Flag(code=code, since=given.now - round(ago * 1000), detail=detail)
    flags = (*given.task.flags, flag)
    return replace(given, task=replace(given.task, flags=flags))


def call(
    world: World,
    name: str = "launcher-a",
    *,
    ago: float = 5,
    capacity: int = 4,
    provider: str = "local",
) -> LauncherCall:
    """A launcher that called so many seconds ago."""
    return LauncherCall(
        launcher_id=name,
        providers=((provider, "here"),),
        capacity=capacity,
        version="1",
        at=world.now - round(ago * 1000),
    )


def claimed(world: World, launcher: str = "launcher-a") -> Job:
    """The one job a launcher gets."""
    (job,) = world.claim(launcher)
    return job


def tried(world: World, job: Job, *, number: int = 1, note: str | None = None) -> None:
    """The launcher says what it is about to create."""
    world.do(
        c.TrySandbox(
            job_id=job.id,
            lease_token=job.token,
            provider=REALM[0],
            realm=REALM[1],
            name=SANDBOX,
            number=number,
            note=note,
        )
    )


def sandbox(state: str = "started") -> Sandbox:
    """The sandbox of the first attempt, as its provider describes it."""
    return Sandbox(
        id="sb-1",
        name=SANDBOX,
        provider=REALM[0],
        realm=REALM[1],
        snapshot="agent-1",
        state=state,
    )


def created(world: World, job: Job, *, snapshot: str = "agent-1") -> None:
    """The provider has named an id."""
    made = replace(sandbox("creating"), snapshot=snapshot)
    world.do(c.ReportCreated(job_id=job.id, lease_token=job.token, sandbox=made))


def failed(world: World, job: Job, code: str, message: str, *, retryable: bool = True) -> None:
    """The launcher reports that the launch failed."""
    error = LaunchError(code=code, message=message, retryable=retryable)
    world.do(c.FailJob(job_id=job.id, lease_token=job.token, error=error))


def launched(world: World, launcher: str = "launcher-a") -> Job:
    """Claimed, tried and started."""
    job = claimed(world, launcher)
    tried(world, job)
    world.do(c.FinishJob(job_id=job.id, lease_token=job.token, sandbox=sandbox()))
    return job


def working(**spec: object) -> World:
    """Launched, and ten seconds later at its seventh turn."""
    world = World(**spec)
    launched(world)
    world.pass_seconds(5)
    world.emit("task.started")
    world.pass_seconds(5)
    world.emit("task.progress", stage="agent", message="turn 7 of 60")
    return world


def spooled(world: World, turn: int) -> None:
    """A word of the agent, read from its spool."""
    word = world.word("task.progress", stage="agent", message=f"turn {turn} of 60")
    world.do(replace(word, spooled=True))


def looked(world: World, state: str = "started", **report: object) -> None:
    """A launcher does the inspect job."""
    (job,) = [job for job in world.claim("launcher-a", capacity=0) if job.kind == "inspect"]
    finished = c.FinishJob(job_id=job.id, lease_token=job.token, sandbox=sandbox(state))
    world.do(replace(finished, **report))


def cancelled(world: World) -> None:
    """Somebody asks for a cancel."""
    world.do(c.CancelTask(task_id=TASK, project="default"))


def retried(world: World) -> None:
    """Somebody asks for another attempt."""
    world.do(c.RetryTask(task_id=TASK, project="default"))


def destroyed(world: World) -> None:
    """A launcher confirms that the sandbox is gone."""
    (job,) = world.claim("launcher-a", capacity=0)
    world.done(job, "destroyed")


def gave_up(world: World, code: str, message: str, *, retryable: bool = False) -> None:
    """The agent reports that it failed."""
    error = {"stage": "agent", "code": code, "message": message, "retryable": retryable}
    world.emit("task.failed", error=error)


def pending_delivery(number: int = 12, **more: object) -> DeliveryState:
    """A delivery that has not arrived."""
    bare = DeliveryState(endpoint_id="ep_1", task_seq=number, status="pending", attempts=0)
    failures = more.get("attempts", 0)
    return replace(bare, **{"failures": failures, **more})
