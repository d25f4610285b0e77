"""Running seeds: all of them on every core until one fails, or one of them to look at it."""

import gc
import logging
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import structlog

from tests.simulation.choices import Recording
from tests.simulation.play import Run
from tests.simulation.play import play as play_alone
from tests.simulation.shrink import TRIES, shrink
from tests.store.conformance.differential import DifferentialStores
from tests.store.conformance.sqlite import open_sqlite_under_test

CHUNK: Final = 25
"""Seeds a worker plays at a time."""
SPAN: Final = 1_000
"""Seeds that the same workers play: half a megabyte stays behind of each."""
PROGRESS: Final = 5.0
"""Seconds between two lines of progress."""


@dataclass(kw_only=True, slots=True)
class Tally:
    """Totals of the seeds played so far."""

    seeds: int = 0
    commits: int = 0
    seconds: float = 0.0
    """Of virtual time."""
    failed: int | None = None
    """The first seed that failed."""

    def add(self, other: "Tally") -> None:
        """Together."""
        self.seeds += other.seeds
        self.commits += other.commits
        self.seconds += other.seconds
        self.failed = other.failed if self.failed is None else self.failed

    def __str__(self) -> str:
        days = self.seconds / 86_400
        return f"{self.seeds:,} seeds, {self.commits:,} commits, {days:,.0f} days"


def run_seeds(first: int, count: int, *, differential: bool = False) -> int:
    """Plays seeds and returns the exit code. `differential` loads each batch from SQLite too."""
    began = time.monotonic()
    tally = _play_all(first, count, differential=differential)
    if tally.failed is not None:
        return show(tally.failed, differential=differential)
    _print(f"simulation: {tally}: every invariant held ({time.monotonic() - began:.0f} s)")
    return 0


def show(seed: int, *, differential: bool = False, tries: int = TRIES) -> int:
    """Plays one seed; of one that fails, its plainest form is told step by step."""
    silence()
    play = play_differential if differential else play_alone
    run = play(seed)
    if run.failure is None:
        _print(f"seed {seed}: {run.commits} commits, every invariant held")
        return 0
    _print(f"seed {seed} fails: {run.failure}\nlooking for its plainest form …")
    recording = shrink(run.drawn, lambda drawn: play(seed, drawn).kind == run.kind, tries=tries)
    plain = play(seed, recording, is_read=True)
    _print("\n".join(plain.trace))
    _print(f"{plain.failure}\nagain: make simulate SEED={seed}")
    return 1


def play_chunk(first: int, count: int, *, differential: bool) -> Tally:
    """Some seeds one after the other, up to the first that fails."""
    silence()
    play = play_differential if differential else play_alone
    tally = Tally()
    gc.disable()  # cycles die with the process: to collect them would cost a fifth of the time
    for seed in range(first, first + count):
        _add(tally, seed, play(seed))
        if tally.failed is not None:
            break
    return tally


def silence() -> None:
    """Drops the gateway's log, which reports the expected effects of these faults."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _add(tally: Tally, seed: int, run: Run) -> None:
    failed = seed if run.failure else None
    tally.add(Tally(seeds=1, commits=run.commits, seconds=run.seconds, failed=failed))


def play_differential(
    seed: int, recording: Recording | None = None, *, is_read: bool = False
) -> Run:
    """Each batch is loaded from SQLite too."""
    with (
        TemporaryDirectory() as folder,
        open_sqlite_under_test(Path(folder)) as store,
    ):
        open_store = DifferentialStores(store)
        return play_alone(seed, recording, is_read=is_read, open_store=open_store)


def _play_all(first: int, count: int, *, differential: bool) -> Tally:
    tally = Tally()
    for start in range(first, first + count, SPAN):
        if tally.failed is None:
            _play_span(tally, start, min(SPAN, first + count - start), differential=differential)
    return tally


def _play_span(tally: Tally, first: int, count: int, *, differential: bool) -> None:
    """With processes of its own: what they have left behind goes with them."""
    told = time.monotonic()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with ProcessPoolExecutor(cores, initializer=end_with_parent) as pool:
        chunks = _chunks(first, count)
        running: set[Future[Tally]] = set()
        while tally.failed is None:
            while len(running) < 2 * (cores or 1) and (chunk := next(chunks, None)):
                running.add(pool.submit(play_chunk, *chunk, differential=differential))
            if not running:
                break
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                tally.add(future.result())
            if time.monotonic() - told > PROGRESS:
                told = time.monotonic()
                _print(f"simulation: {tally} …")
        pool.shutdown(cancel_futures=True)


def end_with_parent() -> None:
    """A worker that waits for work hears nothing of a parent that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait_for_any([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _chunks(first: int, count: int) -> Iterator[tuple[int, int]]:
    for start in range(first, first + count, CHUNK):
        yield start, min(CHUNK, first + count - start)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
