"""The lives that tasks live: each is really lived once, through the ledger, to be copied later."""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.answers import Answer, ClaimReply
from gateway.domain.kernel.read_set import Command
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.launching.job import Job
from gateway.domain.launching.sandbox_identity import sandbox_name
from gateway.domain.tasks.spec import Spec, TimeoutSpec
from gateway.domain.tasks.task import Sandbox
from gateway.ledger import Ledger
from gateway.wire.launcher import LaunchError

REALM: Final = ("local", "elsewhere")
"""Not the realm of the benchmark's launcher: what is left to do here is not offered to it."""
USER: Final = "user-0000000"
"""Stands in the metadata; every copy gets another one."""
ENDPOINT: Final = "ep_benchmarkfrontend"
WEEK: Final = 7 * 86_400
ASKED: Final = Spec(
    project="default",
    repo_url="https://github.com/acme/widgets",
    prompt="Add `GET /health` to the service. It answers 200 with the version of the program.",
    title="Add a health endpoint",
    branch_name="slipgate/health",
    base_branch="main",
    snapshot="slipgate-agent-1",
    metadata={"userId": USER, "plan": "pro"},
    timeouts=TimeoutSpec(queue_seconds=WEEK, heartbeat_seconds=WEEK, run_seconds=WEEK),
)
_SEALED: Final = Sealed(key_id="k1", box=b"s" * 120)


class Life:
    """One task and those who work on it; time passes by hand."""

    def __init__(self, ledger: Ledger, clock: "Clock", task_id: str) -> None:
        self.task_id = task_id
        self.created_at = clock.now
        self._ledger = ledger
        self._clock = clock
        self._words = 0

    async def create(self, *, env: bool = False, callback: bool = False, **asked: object) -> None:
        """A frontend asks for it."""
        await self._do(
            c.CreateTask(
                task_id=self.task_id,
                spec=replace(ASKED, endpoint_id=ENDPOINT if callback else None, **asked),
                env=_SEALED if env else None,
                callback=c.Callback(endpoint_id=ENDPOINT, origin="https://app.example", url=_SEALED)
                if callback
                else None,
            )
        )

    async def claim(self) -> Job:
        """A launcher takes the job that is there for it."""
        wanted = c.Claim(launcher_id="launcher-1", providers=(REALM,), capacity=1, secret=b"s" * 32)
        answer = await self._do(wanted)
        assert isinstance(answer, ClaimReply)
        (claimed,) = (it for it in answer.jobs if it.job.task_id == self.task_id)
        return claimed.job

    async def start(self) -> None:
        """Claimed, made and started; the agent speaks."""
        job = await self.claim()
        await self.attempt_to_create(job)
        await self._do(
            c.FinishJob(job_id=job.id, lease_token=job.token, sandbox=self._sandbox("started"))
        )
        await self.emit("task.started", scriptDigest="sha256:0", snapshot="slipgate-agent-1")

    async def attempt_to_create(self, job: Job) -> None:
        """From here on a sandbox may exist."""
        await self._do(
            c.TrySandbox(
                job_id=job.id,
                lease_token=job.token,
                provider=REALM[0],
                realm=REALM[1],
                name=sandbox_name(self.task_id, 1),
                number=1,
            )
        )

    async def fail_to_launch(self) -> None:
        """The provider refuses for good."""
        job = await self.claim()
        await self.attempt_to_create(job)
        error = LaunchError(code="provider_auth", message="401", retryable=False, provider="local")
        await self._do(c.FailJob(job_id=job.id, lease_token=job.token, error=error))

    async def emit(self, kind: str, **fields: object) -> None:
        """A word of its agent."""
        self._words += 1
        data = msgspec.json.encode(fields)
        await self._do(
            c.ReportAgentEvent(
                task_id=self.task_id,
                attempt=1,
                key_id="k1",
                type=kind,
                data=data,
                webhook_id=f"msg_{self._words}",
                body_hash=(data * 32)[:32],
            )
        )

    async def destroy(self) -> None:
        """Its sandbox is destroyed, which the launcher confirms."""
        job = await self.claim()
        await self._do(
            c.FinishJob(job_id=job.id, lease_token=job.token, sandbox=self._sandbox("destroyed"))
        )

    async def cancel(self) -> None:
        """The frontend wants it no more."""
        await self._do(c.CancelTask(task_id=self.task_id, project=None))

    async def wait(self, seconds: int) -> None:
        """Time passes; then the reconciler looks."""
        self._clock.now += seconds * 1000
        await self._do(c.TaskDue(task_id=self.task_id))

    async def _do(self, command: Command) -> Answer:
        self._clock.now += 1_000
        return await self._ledger.submit(command)

    def _sandbox(self, state: str) -> Sandbox:
        name = sandbox_name(self.task_id, 1)
        provider, realm = REALM
        return Sandbox(id=f"sb-{name}", name=name, provider=provider, realm=realm, state=state)


class Clock:
    """The moment, in milliseconds."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


async def cancelled(life: Life) -> None:
    """Wanted no more before anybody took it."""
    await life.create()
    await life.cancel()


async def expired(life: Life) -> None:
    """Nobody took it."""
    await life.create(timeouts=TimeoutSpec(queue_seconds=900))
    await life.wait(901)


async def never_launched(life: Life) -> None:
    """The provider refused."""
    await life.create(env=True, metadata={"userId": USER})
    await life.fail_to_launch()
    await life.destroy()


async def completed(life: Life) -> None:
    """A pull request, and its sandbox gone."""
    await life.create(env=True)
    await _complete(life)


async def told(life: Life) -> None:
    """The same, each step of it told to the frontend."""
    await life.create(env=True, callback=True)
    await _complete(life)


async def needs_review(life: Life) -> None:
    """A person must look at it."""
    await life.create(metadata={})
    await _work(life)
    await life.emit("task.needs_review", branchName="slipgate/health", summary="No changes")
    await life.destroy()


async def failed(life: Life) -> None:
    """The agent gave up."""
    await life.create(project="another")
    await life.start()
    error = {"stage": "agent", "code": "model_refused", "message": "403", "retryable": False}
    await life.emit("task.failed", error=error)
    await life.destroy()


async def queued(life: Life) -> None:
    """It waits for a launcher, behind what the benchmark creates."""
    await life.create(priority=0, provider="elsewhere")


async def running(life: Life) -> None:
    """Its agent is at work."""
    await life.create()
    await _work(life)


async def silent(life: Life) -> None:
    """Its agent has said nothing for a week, which is flagged."""
    await life.create(timeouts=TimeoutSpec(heartbeat_seconds=WEEK, run_seconds=2 * WEEK))
    await life.start()
    await life.wait(WEEK)


async def _work(life: Life) -> None:
    await life.start()
    await life.emit("task.progress", stage="clone", message="cloned")
    await life.emit("task.progress", stage="agent", message="turn 7 of 60")
    await life.emit("task.log", chunk="$ make test\n42 passed\n", offset=0)
    await life.emit("task.usage", inputTokens=9_000, outputTokens=700, costUsd=0.04, turns=7)


async def _complete(life: Life) -> None:
    await _work(life)
    await life.emit(
        "task.completed",
        prUrl="https://github.com/acme/widgets/pull/1",
        branchName="slipgate/health",
        commitSha="5ca1ab1e",
        summary="Added GET /health",
        validation=[],
    )
    await life.destroy()


Story = Callable[[Life], Awaitable[None]]

ENDED: Final[dict[Story, int]] = {
    cancelled: 40,
    expired: 20,
    never_launched: 10,
    completed: 15,
    told: 5,
    needs_review: 5,
    failed: 5,
}
"""Of a hundred tasks that have ended, how many lived like this."""
LIVING: Final[dict[Story, int]] = {queued: 50, running: 45, silent: 5}
"""Of a hundred that have not."""
