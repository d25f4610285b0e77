"""The runner steps when it is told, survives a failed step, and stops."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.domain.kernel.errors import Unavailable
from gateway.loops.runner import Runner
from gateway.notifier import Notifier


class Steps:
    """A loop whose steps are handed in."""

    name = "steps"
    topics = ("work",)

    def __init__(self, step: Callable[[int], Awaitable[float]]) -> None:
        self.count = 0
        self._step = step

    async def step(self) -> float:
        self.count += 1
        return await self._step(self.count)


async def test_a_hint_wakes_a_loop_that_waits() -> None:
    notifier, second = Notifier(), asyncio.Event()
    first = asyncio.Event()

    async def step(number: int) -> float:
        (first if number == 1 else second).set()
        return 3600.0

    runner = Runner(Steps(step), notifier, longest_wait=3600.0)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        await first.wait()
        notifier.notify(["work"])
        await second.wait()
        runner.stop()


async def test_a_failed_step_is_tried_again() -> None:
    again = asyncio.Event()

    async def step(number: int) -> float:
        if number == 1:
            raise RuntimeError("broken")
        again.set()
        return 3600.0

    runner = Runner(Steps(step), Notifier(), longest_wait=0.01)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        await again.wait()
        runner.stop()
    assert runner.is_moving


async def test_a_loop_stopped_before_its_start_takes_no_step() -> None:
    async def step(_number: int) -> float:
        return 3600.0

    steps = Steps(step)
    runner = Runner(steps, Notifier())
    runner.stop()
    runner.stop()
    await runner.run()
    assert steps.count == 0


async def test_a_loop_without_an_ended_step_for_a_minute_does_not_move() -> None:
    now = [0.0]

    async def step(_number: int) -> float:
        return 1.0

    runner = Runner(Steps(step), Notifier(), monotonic=lambda: now[0])
    assert runner.is_moving
    now[0] = 61.0
    assert not runner.is_moving


async def test_a_store_that_cannot_commit_is_not_taken_for_a_loop_that_stands_still() -> None:
    moments = iter(range(0, 100_000, 50))
    tried = asyncio.Event()

    async def step(number: int) -> float:
        if number == 3:
            tried.set()
        raise Unavailable("The disk is full.")

    runner = Runner(
        Steps(step), Notifier(), longest_wait=0.01, monotonic=lambda: float(next(moments))
    )
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        await tried.wait()
        runner.stop()
    assert runner.is_moving
