"""The handlers of a gateway between HTTP and the ledger, imitated call by call."""

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from gateway.domain.agents.patch import PatchPiece
from gateway.domain.kernel import commands as c
from gateway.domain.kernel.answers import (
    Accepted,
    AgentEventReply,
    Answer,
    ClaimedJob,
    ClaimReply,
    LeaseReply,
    TryReply,
)
from gateway.domain.kernel.errors import ApiError, Unavailable
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import Command
from gateway.domain.launching.job import INSTANCE, Job, labels
from gateway.domain.launching.sandbox_identity import sandbox_name
from gateway.domain.tasks.task import Sandbox
from gateway.ledger import Ledger
from gateway.wire import agent, agent_body
from gateway.wire import launcher as wire
from gateway.wire.decode import WrongShape
from gateway.wire.times import rfc3339
from tests.simulation.choices import Stream
from tests.simulation.scheduler import Process
from tests.simulation.world import World

A = TypeVar("A")

KEY_ID: Final = "k1"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A claim that waits for work, from whom, and since which second."""

    command: c.Claim
    caller: Process
    since: float


class Handlers:
    """The same at each gateway."""

    ledger: Ledger
    policy: Policy
    reads: Any
    process: Process

    def __init__(self, world: World, choices: Stream, number: int) -> None:
        self._world = world
        self._choices = choices
        self.waiting: dict[int, Waiting] = {}
        """Claims that wait for work."""
        self.committed_at = 0.0
        """The time of its newest commit (seconds)."""
        self._first_claim = number << 64
        self._claims = 0

    def clock(self) -> int:
        """Its wall clock (milliseconds)."""
        raise NotImplementedError

    def call_again(self) -> None:
        """Launchers that wait are live."""
        raise NotImplementedError

    async def submit(self, command: Command, kind: type[A]) -> A:
        """Submits a command and returns the ledger's answer."""
        answer = await self.submit_any(command)
        assert isinstance(answer, kind)
        return answer

    async def submit_any(self, command: Command) -> Answer:
        """Anything but an answer or a refusal is a 500, and a bug."""
        try:
            answer = await self.ledger.submit(command)
        except ApiError as refusal:
            self._world.trace.answer(command, refusal)
            raise
        except Exception as error:
            self._world.scheduler.fail(error)
            raise
        self._world.trace.answer(command, answer)
        return answer

    async def handle(
        self, body: bytes, webhook_id: str, *, spooled: bool = False
    ) -> AgentEventReply:
        """`POST /v1/webhooks/agent`, its signature taken for granted."""
        task_id, attempt = agent_body.read_target(body)
        refusal: ApiError | None = None
        kind, data, piece = "", b"", None
        try:
            word = agent_body.decode(body)
        except WrongShape as exc:
            refusal = ApiError("invalid_request", str(exc))
        else:
            kind, data, piece = word.type, word.data, _piece(word.message)
        command = c.ReportAgentEvent(
            task_id=task_id,
            attempt=attempt,
            key_id=KEY_ID,
            type=kind,
            data=data,
            piece=piece,
            webhook_id=webhook_id,
            body_hash=hashlib.sha256(body).digest(),
            refusal=refusal,
            spooled=spooled,
        )
        return await self.submit(command, AgentEventReply)

    async def claim(self, wanted: wire.Claim, caller: Process) -> wire.Jobs:
        """`POST /claim`: waits for work that this launcher can do."""
        self._claims += 1
        command = c.Claim(
            launcher_id=wanted.launcher_id,
            providers=tuple(_pair(provider) for provider in wanted.providers),
            capacity=wanted.capacity,
            holding=wanted.holding,
            job_id=wanted.job_id,
            version=wanted.version,
            secret=(self._first_claim + self._claims).to_bytes(16),
        )
        number = self._claims
        with self.ledger.notifier.listen("jobs", "again", "look") as listener:
            while True:
                asked_at = self.clock()
                answer = await self.submit(command, ClaimReply)
                for claimed in answer.jobs:
                    self._world.invariants.granted(claimed.job.token)
                if answer.jobs:
                    return wire.Jobs(jobs=tuple(map(self._job, answer.jobs)))
                self.waiting[number] = Waiting(command, caller, self._world.scheduler.time())
                try:
                    await listener.wait(await self._seconds_to_claimable(command, asked_at))
                finally:
                    self.call_again()
                    self.waiting.pop(number, None)
                # A connection that broke is mostly noticed.
                if not caller.is_alive and not self._choices.below(4):
                    return wire.Jobs(jobs=())

    async def renew(self, job_id: str, lease: wire.Lease) -> wire.Renewed:
        """`renew`."""
        command = c.RenewLease(job_id=job_id, lease_token=lease.lease_token)
        answer = await self.submit(command, LeaseReply)
        if self.committed_at == self._world.scheduler.time():
            self._world.invariants.renewed(job_id, lease.lease_token)
        return wire.Renewed(lease_expires_at=rfc3339(answer.expires_at), cancel=answer.cancel)

    async def trying(self, job_id: str, report: wire.Trying) -> wire.MayTry:
        """`trying`."""
        command = c.TrySandbox(
            job_id=job_id,
            lease_token=report.lease_token,
            provider=report.provider,
            realm=report.realm,
            name=report.name,
            number=report.try_,
            note=report.note,
        )
        answer = await self.submit(command, TryReply)
        return wire.MayTry(
            create_before=rfc3339(answer.create_before),
            create_seconds=self.policy.create_window // 1000,
            create=answer.create,
        )

    async def created(self, job_id: str, report: wire.Created) -> wire.Acknowledged:
        """`created`."""
        command = c.ReportCreated(
            job_id=job_id, lease_token=report.lease_token, sandbox=_sandbox(report.sandbox)
        )
        return await self._acknowledge(command)

    async def done(self, job_id: str, report: wire.Done) -> wire.Acknowledged:
        """`done`: first the words of the spool, then what was seen."""
        if report.spool and await self._is_held(job_id, report.lease_token):
            await self._handle_spooled(report.spool)
        command = c.FinishJob(
            job_id=job_id,
            lease_token=report.lease_token,
            sandbox=_sandbox(report.sandbox) if report.sandbox else None,
            sandboxes=report.sandboxes or (),
            process=report.process,
            spooled=len(report.spool),
            spool_offset=report.spool_offset,
            diagnosis=report.diagnosis,
        )
        return await self._acknowledge(command)

    async def failed(self, job_id: str, report: wire.Failed) -> wire.Acknowledged:
        """`failed`."""
        command = c.FailJob(job_id=job_id, lease_token=report.lease_token, error=report.error)
        return await self._acknowledge(command)

    async def _acknowledge(self, command: Command) -> wire.Acknowledged:
        await self.submit(command, Accepted)
        return wire.Acknowledged()

    async def _is_held(self, job_id: str, lease_token: str) -> bool:
        try:
            await self.submit(c.RenewLease(job_id=job_id, lease_token=lease_token), LeaseReply)
        except Unavailable:
            raise
        except ApiError:
            return False
        return True

    async def _handle_spooled(self, spool: Sequence[wire.Spooled]) -> None:
        handled = (
            self.handle(base64.b64decode(line.body), line.id, spooled=True) for line in spool
        )
        for outcome in await asyncio.gather(*handled, return_exceptions=True):
            if isinstance(outcome, BaseException) and (
                isinstance(outcome, Unavailable) or not isinstance(outcome, ApiError)
            ):
                raise outcome

    async def _seconds_to_claimable(self, command: c.Claim, asked_at: int) -> float | None:
        at = await self.reads.next_claimable(command.providers, asked_at)
        return None if at is None else max(0.01, (at - self.clock()) / 1000)

    def _job(self, claimed: ClaimedJob) -> wire.Job:
        job, task, attempt = claimed.job, claimed.task, claimed.attempt
        bare = wire.Job(
            id=job.id,
            kind=job.kind,
            lease_token=job.token,
            lease_expires_at=rfc3339(job.lease_expires_at or 0),
            lease_seconds=self.policy.lease // 1000,
            instance_id=self._world.instance,
            labels={INSTANCE: self._world.instance},
        )
        if task is None or attempt is None:
            return _without_task(bare, job)
        sandbox = attempt.sandbox
        return replace(
            bare,
            task_id=task.id,
            attempt=attempt.number,
            sandbox=wire.JobSandbox(
                name=sandbox.name if sandbox else sandbox_name(task.id, attempt.number),
                id=sandbox.id if sandbox else None,
                provider=attempt.provider or job.provider,
                realm=attempt.realm if attempt.realm is not None else job.realm,
            ),
            snapshot=task.snapshot,
            labels=labels(self._world.instance, task.id, attempt.number),
            spool_offset=attempt.spool_offset,
        )


def _without_task(bare: wire.Job, job: Job) -> wire.Job:
    """A sweep, or a sandbox that one has found."""
    orphan = job.orphan
    if orphan is None:
        return replace(
            bare, sandbox=wire.JobSandbox(name="", provider=job.provider, realm=job.realm)
        )
    return replace(
        bare,
        sandbox=wire.JobSandbox(
            name=orphan.name, id=orphan.id, provider=job.provider, realm=job.realm
        ),
        labels=dict(orphan.labels),
        spool_offset=orphan.spool_offset,
    )


def _pair(provider: str) -> tuple[str, str]:
    name, _, realm = provider.partition("@")
    return name, realm


def _sandbox(sandbox: wire.Sandbox) -> Sandbox:
    return Sandbox(
        id=sandbox.id,
        name=sandbox.name,
        provider=sandbox.provider,
        realm=sandbox.realm,
        snapshot=sandbox.snapshot,
        state=sandbox.state,
    )


def _piece(word: agent.Message) -> PatchPiece | None:
    if not isinstance(word, agent.PatchPiece):
        return None
    text = word.chunk.encode()
    return PatchPiece(
        revision=word.revision, start=word.offset, length=len(text), size=word.size, chunk=text
    )
