"""A forked program is like any other to whoever starts it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.forks.programs import program, server, shared


def tells(*fixed: str) -> int:
    """The facts that a program can read about its start."""
    sys.stderr.write("to stderr\n")
    print(fixed, sys.argv[1:], sys.stdin.read(), Path.cwd(), os.environ.get("MARK"))  # noqa: T201
    return 7


def waits() -> None:
    """For a signal."""
    print("ready", flush=True)  # noqa: T201
    signal.pause()


def raises() -> None:
    """An error nobody catches."""
    raise ValueError("of the program")


@contextmanager
def waiting(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    path = program(folder / "waits", f"{__name__}:waits")
    with subprocess.Popen(
        [path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as it:
        assert it.stdout is not None
        assert it.stdout.readline() == "ready\n"
        yield it
        assert it.stdout.read() == ""  # only when the child has ended, too


def test_it_has_its_words_streams_folder_and_environment_and_its_exit_code_is_told(
    tmp_path: Path,
) -> None:
    path = program(tmp_path / "tells", f"{__name__}:tells", "fixed", "ü")
    given = {"MARK": "its own"}
    done = subprocess.run(
        [path, "a b", ""], cwd=tmp_path, env=given, input=b"in", capture_output=True, check=False
    )
    told = f"('fixed', 'ü') ['a b', ''] in {tmp_path} its own\n".encode()
    assert (done.returncode, done.stdout, done.stderr) == (7, told, b"to stderr\n")


def test_an_error_is_shown_and_is_exit_code_1(tmp_path: Path) -> None:
    path = program(tmp_path / "raises", f"{__name__}:raises")
    done = subprocess.run([path], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"ValueError: of the program" in done.stderr


def test_two_programs_of_one_name_stay_two() -> None:
    first = shared("one-name", f"{__name__}:tells")
    second = shared("one-name", f"{__name__}:raises")
    ends = [
        subprocess.run([path], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        for path in (first, second)
    ]
    assert [done.returncode for done in ends] == [7, 1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_it_as_it_ends_others(tmp_path: Path, number: signal.Signals) -> None:
    with waiting(tmp_path) as process:
        process.send_signal(number)
    assert process.returncode == -number


def test_sigquit_kills_it_and_its_end_is_told_when_it_has_come(tmp_path: Path) -> None:
    with waiting(tmp_path) as process:
        process.send_signal(signal.SIGQUIT)
    assert process.returncode == -signal.SIGKILL


def test_a_caller_that_ends_before_it_has_spoken_ends_nothing_else(tmp_path: Path) -> None:
    for data in (b"", b"\0"):
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(server())
            link.sendall(data)
    path = program(tmp_path / "tells", f"{__name__}:tells")
    assert subprocess.run([path], stdin=subprocess.DEVNULL, check=False).returncode == 7


def test_a_caller_that_stops_in_the_middle_of_its_words_keeps_nobody_waiting(
    tmp_path: Path,
) -> None:
    path = program(tmp_path / "tells", f"{__name__}:tells")
    with socket.socket(socket.AF_UNIX) as mute, socket.socket(socket.AF_UNIX) as stopped:
        mute.connect(server())
        stopped.connect(server())
        socket.send_fds(stopped, [(9).to_bytes(4, "big")], [0, 1, 2])
        stopped.sendall(b"part")
        assert subprocess.run([path], stdin=subprocess.DEVNULL, check=False).returncode == 7
