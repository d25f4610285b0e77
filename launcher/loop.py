"""The launcher's loop: claims jobs, runs them, and stops in order."""

import asyncio
from collections.abc import Coroutine
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final, TypeVar

from structlog.typing import FilteringBoundLogger

from gateway.wire.launcher import Claim, Job
from launcher.client import GatewayRejected, GatewayUnreachable
from launcher.exit_watcher import ExitWatcher
from launcher.jobs.context import LauncherContext
from launcher.jobs.run import run_job
from launcher.token_answers import TokenAnswers

Result = TypeVar("Result")

WAIT_SECONDS: Final = 20.0
"""Limit of a claim that the gateway holds because it has no work."""
DRAIN_SECONDS: Final = 15.0
"""Jobs that are unfinished so long after SIGTERM are given back. The parent process must wait
longer before the kill, as `up` does."""
PAUSE_SECONDS: Final = 5.0
"""After a claim that was rejected or not answered."""
KEY_REJECTED: Final = (401, 403)
REJECTED_FOR_GOOD: Final = (*KEY_REJECTED, 426)


@dataclass(slots=True)
class Launcher:
    """One process that claims jobs and runs several at a time."""

    context: LauncherContext
    _: KW_ONLY
    launcher_id: str
    version: str
    capacity: int
    log: FilteringBoundLogger
    wait_seconds: float = WAIT_SECONDS
    drain_seconds: float = DRAIN_SECONDS
    _running: dict[asyncio.Task[bool], Job] = field(default_factory=dict, init=False)
    _freed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until `stopping` is set, then drains; raises `GatewayRejected` for a bad key, and
        for a launcher that is revoked or too old."""
        rejection: GatewayRejected | None = None
        exits = ExitWatcher(
            self.context,
            launcher_id=self.launcher_id,
            log=self.log,
            is_being_created=self._is_being_created,
        )
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(exits.run())
            answering = group.create_task(self._answer_tokens())
            while not stopping.is_set() and not rejection:
                rejection = await self._step(group, stopping)
            watching.cancel()
            answering.cancel()
            await self._drain()
        if rejection:
            raise rejection

    async def _answer_tokens(self) -> None:
        """Makes new tokens for agents, if there is a GitHub App to make them."""
        client, app = self.context.client, self.context.github_app
        if app is not None:
            answers = TokenAnswers(client, app, self.launcher_id, self.log, self.context.sleep)
            await answers.run()

    async def once(self, job_id: str | None = None) -> list[bool]:
        """Claims one time and runs the jobs; True for each one that was done."""
        jobs = await self.context.client.claim(self._claim(wait=0, job_id=job_id))
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                self._start(group, job)
            running = list(self._running)
        return [task.result() for task in running]

    async def _step(
        self, group: asyncio.TaskGroup, stopping: asyncio.Event
    ) -> GatewayRejected | None:
        """One claim, repeated once there is capacity for a create; returns an error that stays."""
        self._freed.clear()
        claim = self._claim(wait=self.wait_seconds)
        interrupts = (stopping,) if claim.capacity else (stopping, self._freed)
        jobs = await _unless(self._send(claim), *interrupts)
        if isinstance(jobs, Exception):
            self.log.warning("claim", outcome="refused", reason=str(jobs))
            if isinstance(jobs, GatewayRejected) and jobs.status in REJECTED_FOR_GOOD:
                return jobs
            await _unless(self.context.sleep(PAUSE_SECONDS), stopping)
            return None
        for job in jobs or ():
            self._start(group, job)
        return None

    async def _send(self, claim: Claim) -> tuple[Job, ...] | GatewayRejected | GatewayUnreachable:
        try:
            return await self.context.client.claim(claim)
        except (GatewayRejected, GatewayUnreachable) as error:
            return error

    def _claim(self, *, wait: float, job_id: str | None = None) -> Claim:
        creating = sum(job.kind == "create" for job in self._running.values())
        return Claim(
            launcher_id=self.launcher_id,
            providers=self.context.provider_realms,
            capacity=max(self.capacity - creating, 0),
            wait_seconds=wait,
            version=self.version,
            holding=tuple(job.id for job in self._running.values()),
            job_id=job_id,
        )

    def _is_being_created(self, name: str) -> bool:
        return any(
            job.kind == "create" and job.sandbox and job.sandbox.name == name
            for job in self._running.values()
        )

    def _start(self, group: asyncio.TaskGroup, job: Job) -> None:
        """A job that is running comes again only under a new lease, which voids the old run."""
        for task, running in self._running.items():
            if running.id == job.id:
                task.cancel()
        task = group.create_task(run_job(self.context, job, self.log))
        self._running[task] = job
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[bool]) -> None:
        del self._running[task]
        self._freed.set()

    async def _drain(self) -> None:
        """Finishes running jobs in bounded time; the leases of the others expire."""
        self.log.info("launcher.stopping", jobs=len(self._running), seconds=self.drain_seconds)
        if self._running:
            await asyncio.wait(list(self._running), timeout=self.drain_seconds)
        for task in self._running:
            task.cancel()


async def _unless(work: Coroutine[Any, Any, Result], *events: asyncio.Event) -> Result | None:
    """The result of `work`, or None if one of the events came first."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(work)
        waiting = [group.create_task(event.wait()) for event in events]
        await asyncio.wait([working, *waiting], return_when=asyncio.FIRST_COMPLETED)
        for task in (working, *waiting):
            task.cancel()
    return None if working.cancelled() else working.result()
