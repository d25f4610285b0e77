"""The parts that the simulation stands on: its clock, its processes, its choices, its shrinking."""

import asyncio

from tests.simulation.choices import Choices, Recording
from tests.simulation.scheduler import Process, Scheduler
from tests.simulation.shrink import shrink


def test_a_day_of_waiting_takes_no_time() -> None:
    scheduler = Scheduler()
    woken: list[float] = []

    async def sleep() -> None:
        await asyncio.sleep(86_400)
        woken.append(scheduler.time())

    Process(scheduler, "sleeper").spawn(sleep())
    assert scheduler.run_until(100_000, most_steps=100)
    assert woken == [86_400]
    scheduler.unwind()


def test_a_killed_process_does_nothing_any_more() -> None:
    scheduler = Scheduler()
    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(10)
        done.append("work")

    process = Process(scheduler, "worker")
    process.spawn(work())
    scheduler.call_later(5, process.kill)
    scheduler.run_until(100, most_steps=100)
    process.spawn(work())
    scheduler.run_until(200, most_steps=100)
    assert done == []
    scheduler.unwind()


def test_what_fails_in_a_process_ends_the_run() -> None:
    scheduler = Scheduler()

    async def fail() -> None:
        raise ValueError("broken")

    Process(scheduler, "broken").spawn(fail())
    scheduler.run_until(1, most_steps=100)
    assert str(scheduler.failure) == "broken"
    scheduler.unwind()


def test_a_run_that_never_rests_is_stopped() -> None:
    scheduler = Scheduler()

    def spin() -> None:
        scheduler.call_soon(spin)

    scheduler.call_soon(spin)
    assert not scheduler.run_until(1, most_steps=1_000)
    scheduler.unwind()


def test_choices_replay_and_are_plain_behind_the_end() -> None:
    drawn = Choices(7)
    numbers = [drawn.stream("a").below(100) for _ in range(5)]
    replayed = Choices(0, {"a": numbers[:3]})
    assert [replayed.stream("a").below(100) for _ in range(5)] == [*numbers[:3], 0, 0]
    assert not replayed.stream("b").happens(999)
    assert replayed.drawn == {"a": [*numbers[:3], 0, 0], "b": [0]}


def test_shrinking_leaves_what_the_failure_needs() -> None:
    def fails(recording: Recording) -> bool:
        return 7 in recording["a"] and sum(recording["b"]) >= 5

    found = {"a": [1, 2, 7, 3, 4] * 8, "b": [3, 0, 2, 0, 9], "c": [1] * 50}
    plain = shrink(found, fails)
    assert fails(plain)
    assert {name: [n for n in drawn if n] for name, drawn in plain.items()} == {
        "a": [7],
        "b": [9],
        "c": [],
    }
