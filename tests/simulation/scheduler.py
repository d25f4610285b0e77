"""The scheduler: an asyncio event loop whose clock jumps to whatever comes next.

It has no sockets, no threads and no real time: the same seed runs the same steps in the same
order, and a day of waiting costs nothing. The real launcher and the real ledger run on it.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context, ContextVar, copy_context
from typing import Any

Failure = Callable[[BaseException], None]


class Process:
    """A gateway, launcher or agent, which dies as a whole and loses its memory."""

    def __init__(self, scheduler: "Scheduler", name: str) -> None:
        self.name = name
        self.is_alive = True
        self.lingers = 0.0
        """Seconds until others notice its death."""
        self.is_still = False
        """It does nothing, and notices nothing of it."""
        self.held: list[asyncio.Handle] = []
        """Handles that run when it goes on."""
        self._scheduler = scheduler
        self._tasks: list[asyncio.Task[Any]] = []
        self._context = copy_context()
        self._context.run(_PROCESS.set, self)
        scheduler.processes.append(self)

    def spawn(
        self, work: Coroutine[Any, Any, object], *, killed: Callable[[], object] | None = None
    ) -> None:
        """Starts work in it; what fails there fails the simulation. `killed` is called if the work
        does not come to its end."""
        if not self.is_alive:
            work.close()
            return
        task = self._scheduler.create_task(self._run(work), context=self._context.copy())
        self._tasks.append(task)
        if killed is not None:

            def done(ended: asyncio.Task[Any]) -> None:
                work.close()  # perhaps it never began
                if ended.cancelled():
                    killed()

            task.add_done_callback(done)

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """A task that was started by work of this process."""
        self._tasks.append(task)

    def kill(self) -> None:
        """Ends it at once. Its tasks unwind, but nothing they do is seen outside any more."""
        self.is_alive = False
        self.go_on()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()

    def stand_still(self) -> None:
        """Stops in the middle of whatever it does, as under a debugger or in a frozen machine."""
        self.is_still = True
        self._scheduler.stopped += 1

    def go_on(self) -> None:
        """Goes on where it stopped."""
        if self.is_still:
            self.is_still = False
            self._scheduler.stopped -= 1
            self._scheduler.resume(self.held)
            self.held = []

    async def _run(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the top of all work: the run fails with it
            if self.is_alive:
                self._scheduler.fail(error)


_PROCESS: ContextVar[Process] = ContextVar("process")


class _Handle(asyncio.Handle):
    """A handle without what is there for debugging: a run makes thousands of them."""

    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: "Scheduler",
        context: Context | None,
    ) -> None:
        self._loop = loop
        self._context = copy_context() if context is None else context
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None


def _hold(handle: asyncio.Handle) -> bool:
    """True if its process stands still; it runs when that goes on."""
    process = handle._context.get(_PROCESS)  # type: ignore[attr-defined]  # noqa: SLF001
    if process is None or not process.is_still:
        return False
    process.held.append(handle)
    return True


class Scheduler(asyncio.BaseEventLoop):
    """Runs until nothing is left that could happen, or until the time is over."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: BaseException | None = None
        self.steps = 0
        self.stopped = 0
        """Processes."""
        self.processes: list[Process] = []
        self._now = 0.0
        self._soon: deque[asyncio.Handle] = deque()
        self._later: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbered = 0
        self.set_exception_handler(self._note)

    def time(self) -> float:
        """Seconds since the beginning of the run."""
        return self._now

    def get_debug(self) -> bool:
        """Never: it would read the real clock."""
        return False

    @property
    def has_failed(self) -> bool:
        """True if the run is over because of a failure."""
        return self.failure is not None

    def fail(self, error: BaseException) -> None:
        """Ends the run; the first failure is the one that counts."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        self.failure = self.failure or error

    def call_soon(  # type: ignore[override]  # the shape that C tasks call
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._soon.append(handle)
        return handle

    def call_at(  # type: ignore[override]  # as above
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._numbered += 1
        heapq.heappush(self._later, (when, self._numbered, timer))
        return timer

    def call_later(  # type: ignore[override]  # as above
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def create_task(  # type: ignore[override]  # as above
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self, name=name or "task", context=context)
        process = _PROCESS.get(None) if context is None else None
        if process is not None:
            process.adopt(task)
        return task

    def resume(self, handles: Iterable[asyncio.Handle]) -> None:
        """Lets happen what was held back."""
        self._soon.extend(handles)

    def run_until(self, end: float, *, most_steps: int) -> bool:
        """Lets happen what happens by then; False if that was too much."""
        asyncio._set_running_loop(self)  # noqa: SLF001 - asyncio's own door for event loops
        try:
            return self._run_until(end, most_steps)
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001

    def _run_until(self, end: float, most_steps: int) -> bool:
        soon, later = self._soon, self._later
        limit = self.steps + most_steps
        while self.failure is None:
            while soon and self.steps <= limit:
                handle = soon.popleft()
                self.steps += 1
                if not handle.cancelled() and not (self.stopped and _hold(handle)):
                    handle._run()  # noqa: SLF001 - this is the event loop
            if not later or later[0][0] > end or self.steps > limit:
                break
            when, _, timer = heapq.heappop(later)
            if not timer.cancelled():
                self._now = max(self._now, when)
                soon.append(timer)
        if not later or later[0][0] > end:
            self._now = max(self._now, min(end, self._now if not later else end))
        return self.steps <= limit

    def unwind(self) -> None:
        """Kills everything, lets its tasks come to their end, and closes."""
        for process in self.processes:
            process.kill()
        self.failure = None
        self._later.clear()
        asyncio._set_running_loop(self)  # noqa: SLF001 - as above
        try:
            self._run_until(self._now, 100_000)
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001
            self.close()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer stays where it is and is passed over."""

    def _note(self, _loop: object, report: dict[str, Any]) -> None:
        error = report.get("exception")
        self.fail(error if error is not None else RuntimeError(report["message"]))
