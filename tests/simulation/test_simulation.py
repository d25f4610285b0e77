"""The simulation holds on some seeds, tells what it finds, and finds what is planted."""

import os
import subprocess
import sys

from tests.simulation.mutants import MUTANTS

SEEDS = 25
"""`make simulate` plays thousands."""
DIFFERENTIAL_SEEDS = 2
"""`tests.store.conformance` plays more."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A part of the simulation as a program of its own: sets have the same order in each."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_invariant_holds_whatever_the_world_does() -> None:
    played = run("tests.simulation", "--seeds", str(SEEDS))
    assert played.returncode == 0, played.stdout + played.stderr
    last = played.stdout.splitlines()[-1]
    assert f"{SEEDS} seeds" in last
    assert "every invariant held" in last


def test_the_store_in_memory_says_what_the_real_one_says() -> None:
    played = run(
        "tests.simulation", "--differential", "--first", "1000", "--seeds", str(DIFFERENTIAL_SEEDS)
    )
    assert played.returncode == 0, played.stdout + played.stderr


def test_every_planted_bug_is_found() -> None:
    hunt = run("tests.simulation.mutants")
    assert hunt.returncode == 0, hunt.stdout + hunt.stderr
    found = [line.partition(": found by seed ")[0] for line in hunt.stdout.splitlines()]
    assert found == [*MUTANTS]


def test_workers_do_not_outlive_a_run_that_is_killed() -> None:
    run_with_workers = (
        "import signal; from concurrent.futures import ProcessPoolExecutor;"
        "from tests.simulation.run import end_with_parent;"
        "pool = ProcessPoolExecutor(2, initializer=end_with_parent);"
        "print(pool.submit(int).result(), flush=True); signal.pause()"
    )
    command = [sys.executable, "-c", run_with_workers]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as played:
        assert played.stdout is not None
        assert played.stdout.readline() == b"0\n"
        played.kill()
        assert played.stdout.read() == b""  # only when no worker holds it any more


def test_what_was_found_is_told_plainly_and_the_same_each_time() -> None:
    name = "a spool is deleted unread"
    told, again = (run("tests.simulation.mutants", name, "--tell") for _ in range(2))
    assert told.stdout == again.stdout
    assert "ReportAgentEvent" in told.stdout
    assert "was deleted with the spool, and never heard\nagain: make simulate SEED=" in told.stdout
