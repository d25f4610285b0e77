"""The launcher's loop: claims work, does it, and stops in order."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from structlog.typing import FilteringBoundLogger

from gateway.wire.launcher import Claim, Job
from launcher.client import GatewayRejected, GatewayUnreachable
from launcher.exit_watcher import ExitWatcher
from launcher.jobs.context import LauncherContext
from launcher.jobs.run import run_job

Reply = TypeVar("Reply")

WAIT_SECONDS = 20.0
"""How long the gateway may hold a claim that it has no work for."""
DRAIN_SECONDS = 15.0
"""After SIGTERM: what is not finished by then is given back. Whoever starts launchers must wait
longer than that before the kill, as `up` does."""
PAUSE_SECONDS = 5.0
"""After a claim that was refused or not answered."""
KEY_REFUSED = (401, 403)


class Launcher:
    """One process that claims jobs and works on several at a time."""

    def __init__(
        self,
        context: LauncherContext,
        *,
        launcher_id: str,
        version: str,
        capacity: int,
        log: FilteringBoundLogger,
        wait_seconds: float = WAIT_SECONDS,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self._site = context
        self._id = launcher_id
        self._version = version
        self._capacity = capacity
        self._log = log
        self._wait_seconds = wait_seconds
        self._drain_seconds = drain_seconds
        self._work: dict[asyncio.Task[bool], Job] = {}
        self._freed = asyncio.Event()
        self._watch = ExitWatcher(
            context, launcher_id=launcher_id, log=log, is_being_created=self._is_making
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until `stopping` is set, then drains; raises `Refused` if our key is no good."""
        refusal: GatewayRejected | None = None
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch.run())
            while not stopping.is_set() and not refusal:
                refusal = await self._step(group, stopping)
            watching.cancel()
            await self._drain()
        if refusal:
            raise refusal

    async def once(self, job_id: str | None = None) -> list[bool]:
        """Claims one time and does what came; of each job, whether it was done."""
        jobs = await self._site.client.claim(self._claim(wait=0, job_id=job_id))
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                self._begin(group, job)
            work = list(self._work)
        return [task.result() for task in work]

    async def _step(
        self, group: asyncio.TaskGroup, stopping: asyncio.Event
    ) -> GatewayRejected | None:
        """One claim, asked anew once there is room for a create; answers a refusal of our key."""
        self._freed.clear()
        claim = self._claim(wait=self._wait_seconds)
        interrupts = (stopping,) if claim.capacity else (stopping, self._freed)
        try:
            jobs = await _unless(self._site.client.claim(claim), *interrupts)
        except (GatewayRejected, GatewayUnreachable) as error:
            self._log.warning("claim", outcome="refused", reason=str(error))
            if isinstance(error, GatewayRejected) and error.status in KEY_REFUSED:
                return error
            await _unless(_pause(self._site, PAUSE_SECONDS), stopping)
            return None
        for job in jobs or ():
            self._begin(group, job)
        return None

    def _claim(self, *, wait: float, job_id: str | None = None) -> Claim:
        held = tuple(job.id for job in self._work.values())
        creating = sum(job.kind == "create" for job in self._work.values())
        return Claim(
            launcher_id=self._id,
            providers=self._site.provider_realms,
            capacity=max(self._capacity - creating, 0),
            wait_seconds=wait,
            version=self._version,
            holding=held,
            job_id=job_id,
        )

    def _is_making(self, name: str) -> bool:
        """Whether a sandbox of this name is being made."""
        jobs = self._work.values()
        return any(
            job.kind == "create" and job.sandbox and job.sandbox.name == name for job in jobs
        )

    def _begin(self, group: asyncio.TaskGroup, job: Job) -> None:
        """A job we already work on comes again only under a new lease: the old work is void."""
        for task, held in self._work.items():
            if held.id == job.id:
                task.cancel()
        task = group.create_task(run_job(self._site, job, self._log))
        self._work[task] = job
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[bool]) -> None:
        del self._work[task]
        self._freed.set()

    async def _drain(self) -> None:
        """Finishes what is in hand, in bounded time; the rest is offered again by its lease."""
        self._log.info("launcher.stopping", jobs=len(self._work), seconds=self._drain_seconds)
        if self._work:
            await asyncio.wait(list(self._work), timeout=self._drain_seconds)
        for task in self._work:
            task.cancel()


async def _unless(work: Coroutine[Any, Any, Reply], *events: asyncio.Event) -> Reply | None:
    """What `work` answers, or None if one of the events came first."""
    working = asyncio.ensure_future(work)
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait([working, *waiting], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, *waiting):
            task.cancel()
        await asyncio.gather(working, *waiting, return_exceptions=True)


async def _pause(context: LauncherContext, seconds: float) -> None:
    await context.sleep(seconds)
