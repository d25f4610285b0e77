"""Agents: what runs in a sandbox says its words to the spool first, then to the gateway, in order.

An imitation of `snapshot/runner`, which has threads and files: its reporter, its standing, its
asks before it acts on the world, its heartbeat (rarer here), and its start after a crash.
"""

import asyncio
from typing import Any, Final

import msgspec

from gateway.domain.kernel.answers import AgentEventReply
from gateway.domain.kernel.errors import ApiError, Unavailable
from tests.simulation.choices import Stream
from tests.simulation.network import Lost, Network
from tests.simulation.provider import Line, Sandbox
from tests.simulation.scheduler import Process
from tests.simulation.world import World

AgentEvent = tuple[str, dict[str, Any]]

BEAT: Final = 45.0
ASK: Final = 90.0
"""Seconds without any answer after which an agent goes on without one."""
DELIVER_SECONDS: Final = 120.0
"""Seconds an agent that is done waits for its words to be taken."""
LATE_SECONDS: Final = 10.0
"""The same for one that was stopped."""
WORK: Final = (2.0, 10.0, 40.0)
SLOW_WORK: Final = (130.0, 400.0, 1_500.0)
RESTARTS: Final = (None, 3.0, 60.0)
FENCES: Final = {"stale_attempt", "attempt_finished"}
ERROR: Final = {"stage": "agent", "code": "model_error", "message": "no"}
PR: Final = {
    "prUrl": "https://github.com/acme/widgets/pull/1",
    "branchName": "b",
    "commitSha": "c0",
}
PATCH_DETAILS: Final = {"baseSha": "a" * 40, "warnings": ["venv was left out"]}
ASKS: Final = {"task.started", "push", "pr"}
ENDS: Final[tuple[AgentEvent | None, ...]] = (
    ("task.completed", {"branchName": "b", "summary": "done", "validation": []}),
    ("task.completed", {"branchName": "b", "summary": "done", "validation": []}),
    ("task.failed", {"error": {**ERROR, "retryable": True}}),
    ("task.failed", {"error": {**ERROR, "retryable": False}}),
    ("task.needs_review", {"branchName": "b", "summary": "look", "validation": []}),
    None,
)
CANCELLED: Final[AgentEvent] = (
    "task.failed",
    {"error": {**ERROR, "code": "cancelled", "retryable": False}},
)
LAST: Final = {"task.completed", "task.failed", "task.needs_review"}


class Stopped(Exception):
    """The gateway wants no more of it; `word` is the last one it says."""

    def __init__(self, word: AgentEvent | None) -> None:
        super().__init__()
        self.word = word


class Agent:
    """One start of the agent of one attempt."""

    def __init__(self, world: World, network: Network, sandbox: Sandbox) -> None:
        self._world = world
        self._network = network
        self._sandbox = sandbox
        self._choices = world.choices.stream(f"agent {sandbox.name[-6:]}")
        self._queue = sandbox.spool[sandbox.acknowledged :]
        self._verdicts: dict[str, AgentEventReply] = {}
        self._has_event = asyncio.Event()
        self._acknowledged = asyncio.Event()
        self._stop: Stopped | None = None
        self._unreachable_since: float | None = None
        self.process = Process(world.scheduler, sandbox.name)
        sandbox.agent = self.process
        sandbox.is_running = True
        sandbox.exit_code = None
        for work in (self._live(), self._send_all(), self._beat()):
            self.process.spawn(work)

    async def _live(self) -> None:
        try:
            for word in self._left():
                if self._choices.happens(self._world.faults.agent_silent):
                    await asyncio.Future()
                await self._pause()
                line = self._emit(word)
                if word[0] in ASKS or word[1].get("stage") in ASKS:
                    await self._asked(line)
            await self._drain(DELIVER_SECONDS)
        except Stopped as stopped:
            if stopped.word is not None:
                self._emit(stopped.word)
                await self._drain(LATE_SECONDS)
        self._exit(0)

    def _left(self) -> list[AgentEvent]:
        """Events that an earlier start has not sent."""
        sandbox = self._sandbox
        if sandbox.plan is None:
            sandbox.plan = _plan(self._choices)
        if any(line.kind in LAST for line in sandbox.spool):
            return []
        return sandbox.plan[len(sandbox.spool) :]

    async def _pause(self) -> None:
        slow = self._choices.happens(self._world.faults.agent_slow)
        await self._wait(self._choices.pick(SLOW_WORK if slow else WORK))

    def _emit(self, word: AgentEvent) -> Line:
        self._may_die()
        line = self._line(word, f"msg_{self._sandbox.id}_{len(self._sandbox.spool)}")
        self._sandbox.spool.append(line)
        self._queue.append(line)
        self._has_event.set()
        return line

    def _line(self, word: AgentEvent, name: str) -> Line:
        kind, fields = word
        data = {"taskId": self._sandbox.task_id, "attempt": self._sandbox.attempt, **fields}
        envelope = {"type": kind, "timestamp": "2026-09-21T14:13:20.000Z", "data": data}
        return Line(id=name, kind=kind, body=msgspec.json.encode(envelope))

    async def _asked(self, line: Line) -> None:
        """Permission to act on the world, or no gateway that could be asked."""
        while line.id not in self._verdicts and not self._is_unreachable():
            await self._wait(5.0)
        verdict = self._verdicts.get(line.id)
        if verdict is not None and not verdict.applied:
            raise Stopped(None)

    def _is_unreachable(self) -> bool:
        since = self._unreachable_since
        return since is not None and self._world.scheduler.time() - since > ASK

    async def _wait(self, seconds: float) -> None:
        """So long; whoever was told to stop does."""
        end = self._world.scheduler.time() + seconds
        while self._stop is None and await self._poll(end):
            pass
        if self._stop is not None:
            raise self._stop

    async def _drain(self, seconds: float) -> None:
        """Until everything was taken; the rest is left to the spool."""
        end = self._world.scheduler.time() + seconds
        while self._queue and await self._poll(end):
            pass

    async def _poll(self, end: float) -> bool:
        """Something of the gateway; False when the time is over."""
        left = end - self._world.scheduler.time()
        if left <= 0:
            return False
        timer = self._world.scheduler.call_later(left, self._acknowledged.set)
        await self._acknowledged.wait()
        timer.cancel()
        self._acknowledged.clear()
        return True

    async def _send_all(self) -> None:
        while True:
            while self._queue:
                await self._send(self._queue[0])
                self._queue.pop(0)
                self._sandbox.acknowledged = len(self._sandbox.spool) - len(self._queue)
                self._acknowledged.set()
            self._has_event.clear()
            await self._has_event.wait()

    async def _send(self, line: Line) -> None:
        pause = 0.2
        while (reply := await self._deliver(line)) is None:
            await self._network.pause(self.process, pause)
            pause = min(2 * pause, 5.0)
        self._verdicts[line.id] = reply

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            self._sandbox.beats += 1
            beat = self._line(
                ("task.heartbeat", {}), f"beat_{self._sandbox.id}_{self._sandbox.beats}"
            )
            await self._deliver(beat)

    async def _deliver(self, line: Line) -> AgentEventReply | None:
        """The gateway's reply; None: it has none now. One that fences us ends this process."""
        try:
            reply = await self._network.call(
                self.process,
                self._choices,
                lambda gateway: gateway.handle(line.body, line.id),
                seconds=15.0,
            )
        except Lost:
            self._unreachable_since = self._unreachable_since or self._world.scheduler.time()
            return None
        except Unavailable:
            self._unreachable_since = None
            return None
        except ApiError as refusal:
            self._fence(refusal)
            raise asyncio.CancelledError from None
        self._unreachable_since = None
        self._world.invariants.acknowledged(self._sandbox.task_id, self._sandbox.attempt, line.id)
        if reply.cancel and self._stop is None:
            self._stop = Stopped(CANCELLED)
            self._acknowledged.set()
        return reply

    def _fence(self, refusal: ApiError) -> None:
        if refusal.code not in FENCES:
            self._world.scheduler.fail(AssertionError(f"an agent was told {refusal}"))
        self._world.trace.note(self.process.name, f"stops: {refusal.code}")
        self._exit(3)

    def _may_die(self) -> None:
        if self._choices.happens(self._world.faults.agent_crash):
            again = self._choices.pick(RESTARTS)
            self._world.trace.note(self.process.name, f"killed, again in {again} s")
            if again is not None:
                self._world.scheduler.call_later(again, self._start_again)
            self._exit(-9)
            raise asyncio.CancelledError

    def _start_again(self) -> None:
        if self._sandbox.state == "started" and not self._sandbox.is_running:
            Agent(self._world, self._network, self._sandbox)

    def _exit(self, code: int) -> None:
        self._sandbox.is_running, self._sandbox.exit_code = False, code
        self.process.kill()


def _plan(choices: Stream) -> list[AgentEvent]:
    plan: list[AgentEvent] = [
        ("task.started", {}),
        ("task.progress", {"stage": "clone", "message": "m"}),
    ]
    plan += [("task.log", {"chunk": "x", "offset": 0})] * choices.below(2)
    if choices.below(3) == 1:
        plan += [("task.progress", {"stage": stage, "message": "m"}) for stage in ("push", "pr")]
        plan.append(("task.pr_created", PR))
    if choices.below(2):
        plan += [
            ("task.patch", {"chunk": "+a", "offset": at, "size": 4, **PATCH_DETAILS})
            for at in (0, 2)
        ]
    last = choices.pick(ENDS)
    return [*plan, last] if last is not None else plan
