"""The gateway: the real ledger, rules, reconciler and deliverer between a network and a disk.

Left out are HTTP, JSON of requests, keys and signatures: what handlers make of them is imitated
here, call by call. A crash drops everything but the tables; a restart begins from them.
"""

import asyncio
import base64
import functools
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import chain
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
from gateway.domain.kernel.read_set import Command, ReadSet
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.job import INSTANCE, Job, labels
from gateway.domain.launching.realm import LIVE_FOR
from gateway.domain.launching.sandbox_identity import sandbox_name
from gateway.domain.tasks.task import Sandbox
from gateway.ledger import LONGEST_CLAIM, Ledger
from gateway.loops.bulk import BulkRunner
from gateway.loops.reconcile import Reconciler
from gateway.wire import agent, agent_body
from gateway.wire import launcher as wire
from gateway.wire.decode import WrongShape
from gateway.wire.times import rfc3339
from tests.simulation.deliverer import Receivers, deliverer
from tests.simulation.invariants import Violated
from tests.simulation.scheduler import Process
from tests.simulation.world import World

A = TypeVar("A")

LONGEST_POLL: Final = 5.0
"""Seconds after which a loop looks by itself."""
PROMPT: Final = 4
"""Seconds in which something is done about what can be done."""
CALLS: Final = 20_000
"""Milliseconds between the calls of a launcher that waits for work."""
DOWN: Final = (0.5, 2.0, 12.0, 40.0, 400.0)
FULL: Final = (0.5, 4.0, 40.0)
JUMPS: Final = (1, -1, 10, -10, 100, -100, 4_000, -600)
COMMIT: Final = (0.002, 0.004, 0.01, 0.3)
KEY_ID: Final = "k1"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A claim that waits for work, from whom, and since which second."""

    command: c.Claim
    caller: Process
    since: float


class Gateway:
    """One at a time; `process` is the one that runs, or the last one that did."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._choices = world.choices.stream("gateway")
        self.waiting: dict[int, Waiting] = {}
        """Claims that wait for work."""
        self._claims = 0
        self.receivers = Receivers(world.faults, world.choices.stream("receivers"))
        self.back_at = 0.0
        self._full_until = 0.0
        self._jumped_at = 0.0
        self._planned: float | None = None
        self.healthy_since = 0.0
        self._held_at = -1.0
        self.start()

    def start(self) -> None:
        """A new process on the tables."""
        world = self._world
        self.process = Process(world.scheduler, "gateway")
        self.waiting.clear()
        self.healthy_since = world.scheduler.time()
        self.store = world.open_store(functools.partial(self._commit, self.process))
        self.reads = self.store.reads
        self.policy = Policy(key_id=KEY_ID, instance_id=world.instance, started_at=world.wall())
        self.ledger = Ledger(self.store, self.policy, clock=world.wall, turns=1)
        self.process.spawn(self._run(self.ledger))

    def crash(self, why: str) -> None:
        """Drops everything that was not committed; somebody starts it again."""
        world = self._world
        self._keep_pulse()
        down = self._choices.pick(DOWN)
        world.trace.note("gateway", f"killed {why}, back in {down} s")
        self.process.kill()
        self.back_at = world.scheduler.time() + down
        world.scheduler.call_later(down, self.start)

    def look(self) -> None:
        """Everybody who waits looks again."""
        if self.process.is_alive:
            self._look("look")

    def repair(self) -> None:
        """The disk has room again."""
        self._full_until = min(self._full_until, self._world.scheduler.time())

    async def submit(self, command: Command, kind: type[A]) -> A:
        """Submits a command and returns the ledger's answer."""
        answer = await self._submit(command)
        assert isinstance(answer, kind)
        return answer

    async def _submit(self, command: Command) -> Answer:
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
            secret=self._claims.to_bytes(16),
        )
        number = self._claims
        with self.ledger.notifier.listen("jobs", "again", "look") as listener:
            while True:
                asked_at = self._world.wall()
                answer = await self.submit(command, ClaimReply)
                for claimed in answer.jobs:
                    self._world.invariants.granted(claimed.job.token)
                if answer.jobs:
                    return wire.Jobs(jobs=tuple(map(self._job, answer.jobs)))
                self.waiting[number] = Waiting(command, caller, self._world.scheduler.time())
                try:
                    await listener.wait(await self._seconds_to_claimable(command, asked_at))
                finally:
                    self._call_again()
                    self.waiting.pop(number, None)
                # A connection that broke is mostly noticed.
                if not caller.is_alive and not self._choices.below(4):
                    return wire.Jobs(jobs=())

    async def renew(self, job_id: str, lease: wire.Lease) -> wire.Renewed:
        """`renew`."""
        command = c.RenewLease(job_id=job_id, lease_token=lease.lease_token)
        answer = await self.submit(command, LeaseReply)
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
        return None if at is None else max(0.01, (at - self._world.wall()) / 1000)

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

    async def _run(self, ledger: Ledger) -> None:
        reconciler = Reconciler(self.reads, self._submit, self._world.wall)
        async with ledger.running(), asyncio.TaskGroup() as flights:
            sends = deliverer(
                self._world,
                self.receivers,
                self.reads,
                submit=self._submit,
                ledger=ledger,
                flights=flights,
            )
            flights.create_task(
                self._loop(ledger, lambda: self._reconcile(reconciler), ("due", "plan", "look"))
            )
            flights.create_task(self._loop(ledger, sends, ("deliveries", "look")))
            pages = BulkRunner(self.reads, self._submit)
            flights.create_task(
                self._loop(ledger, lambda: self._advance_bulk(pages), ("bulk", "look"))
            )
            await asyncio.Future()

    async def _loop(
        self, ledger: Ledger, step: Callable[[], Awaitable[float | None]], topics: tuple[str, ...]
    ) -> None:
        """As the real runner, but looks that would find nothing are left out."""
        with ledger.notifier.listen(*topics) as listener:
            while True:
                try:
                    seconds = await step()
                except Unavailable:
                    seconds = 0.5
                await listener.wait(seconds)

    async def _advance_bulk(self, pages: BulkRunner) -> float | None:
        seconds = await pages.step()
        return seconds if await self.reads.running_bulk_actions() else None

    async def _reconcile(self, reconciler: Reconciler) -> float | None:
        self._keep_pulse()
        self._call_again()
        self._planned = 0.0  # whatever this step commits, it looks afterwards
        await reconciler.step()
        self._planned = None
        due = self._next_due()
        if due is None:
            return None
        seconds = max(0.05, (due - self._world.wall()) / 1000)
        self._planned = self._world.scheduler.time() + seconds
        return seconds

    def _keep_pulse(self) -> None:
        """The pulses since the last one, which changed nothing else, are told in one."""
        tables = self._world.tables
        last = self._world.wall() - int(LONGEST_POLL * 1000)
        if self._is_well() and (tables.pulse_at or 0) < last:
            tables.pulse_at = last

    def _is_well(self) -> bool:
        """True if the store could have committed for a while."""
        since = self._world.scheduler.time() - max(self.healthy_since, self._full_until)
        return self.process.is_alive and since > LONGEST_POLL

    def _call_again(self) -> None:
        """A launcher that waits calls again every 20 s: that it is live is told in one."""
        tables, now = self._world.tables, self._world.wall()
        for waiting in self.waiting.values():
            for place in waiting.command.providers:
                realm = tables.realms[*place, ""]
                if waiting.caller.is_alive and self._is_well() and now - realm.called_at > CALLS:
                    tables.realms[realm.key] = replace(realm, called_at=now, due_at=now + LIVE_FOR)

    def _next_due(self) -> int | None:
        """A realm in which a launcher waits does not fall silent."""
        tables = self._world.tables
        waiting = [each.command for each in self.waiting.values() if each.caller.is_alive]
        served = {place for command in waiting for place in command.providers}
        realms = (
            each.due_at for each in tables.realms.values() if each.provider_realm not in served
        )
        return min(filter(None, chain(tables.due_moments(), realms)), default=None)

    async def _commit(
        self, process: Process, needs: Sequence[ReadSet], view: UnitOfWork, apply: Callable[[], Any]
    ) -> None:
        world, faults = self._world, self._world.faults
        await asyncio.sleep(self._choices.pick(COMMIT))
        self._break_disk()
        if self._choices.happens(faults.gateway_crash) and process.is_alive:
            self.crash("before a commit")
        if not process.is_alive:
            raise asyncio.CancelledError
        if world.scheduler.time() < self._full_until:
            raise Unavailable("The disk is full.")
        try:
            self._hold_prompt()
            world.invariants.check(needs, view, apply)
        except Exception as error:
            world.scheduler.fail(error)  # at once: the ledger would look for the guilty command
            raise
        self._replan()
        self._ask_again(view)
        if self._choices.happens(faults.clock_jump):
            self._jump()
        if self._choices.happens(faults.gateway_crash):
            if self._choices.below(2):
                world.scheduler.call_later(0.0015, self._crash_later, process)
            else:
                self.crash("after a commit")
                raise asyncio.CancelledError

    def _hold_prompt(self) -> None:
        """Waiting callers are woken and due clocks are handled within seconds."""
        world, now = self._world, self._world.scheduler.time()
        if now == self._held_at:
            return
        self._held_at = now
        if now - max(self.healthy_since, self._full_until, self._jumped_at) < 2 * PROMPT:
            return
        late = world.wall() - PROMPT * 1000
        for waiting in self.waiting.values():
            if waiting.since < now - PROMPT and (
                work := world.tables.work_for(waiting.command, late)
            ):
                raise Violated(f"{waiting.command.launcher_id} waits, and was not woken for {work}")
        for task_id, due in world.tables.due.items():
            if due is not None and due < late:
                raise Violated(f"a clock of {task_id} came due at {due}, and nobody looked")

    def _crash_later(self, process: Process) -> None:
        if process.is_alive and process is self.process:
            self.crash("amid its answers")

    def _break_disk(self) -> None:
        now = self._world.scheduler.time()
        if now >= self._full_until and self._choices.happens(self._world.faults.disk_full):
            self._keep_pulse()
            self._full_until = now + self._choices.pick(FULL)
            self._world.trace.note("gateway", f"disk full until {self._full_until:.3f}")

    def _jump(self) -> None:
        self._keep_pulse()
        self._jumped_at = self._world.scheduler.time()
        seconds = self._choices.pick(JUMPS)
        self._world.jump(seconds)
        self._world.scheduler.call_later(LONGEST_POLL, self._look, "look")

    def _replan(self) -> None:
        """A clock that comes due before the reconciler planned to look is found by a look."""
        due = self._next_due()
        if due is None:
            return
        scheduler = self._world.scheduler
        at = scheduler.time() + (due - self._world.wall()) / 1000
        if self._planned is None or at < self._planned - 0.05:
            self._planned = at
            scheduler.call_later(LONGEST_POLL, self._look, "plan")

    def _ask_again(self, view: UnitOfWork) -> None:
        """A job for later wakes nobody: a claim that is asked anew until then learns of it."""
        now = self._world.wall()
        for name in view.jobs.changed:
            job = view.jobs[name]
            if job.is_free and job.not_before >= now + LONGEST_CLAIM:
                later = (job.not_before - now) / 1000
                self._world.scheduler.call_later(later, self._look, "again")

    def _look(self, topic: str) -> None:
        self.ledger.notifier.notify((topic,))


def _without_task(bare: wire.Job, job: Job) -> wire.Job:
    """A sweep, or a sandbox that one has found."""
    stray = job.stray
    if stray is None:
        return replace(
            bare, sandbox=wire.JobSandbox(name="", provider=job.provider, realm=job.realm)
        )
    return replace(
        bare,
        sandbox=wire.JobSandbox(
            name=stray.name, id=stray.id, provider=job.provider, realm=job.realm
        ),
        labels=dict(stray.labels),
        spool_offset=stray.spool_offset,
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
