"""One command: bounded, killable, and nothing of it stays."""

import os
import threading
from pathlib import Path

import pytest

from snapshot.runner.agent.command import CommandResult, Runner
from snapshot.runner.files import LARGEST_IN_MEMORY
from snapshot.runner.stop import Reason, Stop, Stopped
from tests.snapshot.patience import PATIENCE_SECONDS, is_alive

ENVIRON = {"PATH": os.environ["PATH"]}


def run(
    script: str, directory: Path, *, seconds: float = PATIENCE_SECONDS, stop: Stop | None = None
) -> CommandResult:
    """Run a bash script as an agent's command."""
    runner = Runner(stop or Stop())
    return runner.run(["bash", "-c", script], directory=directory, environ=ENVIRON, seconds=seconds)


@pytest.mark.parametrize(
    ("script", "code", "output"),
    [
        ("echo out; echo err >&2", 0, "out\nerr\n"),
        ("exit 3", 3, ""),
        ("kill -9 $$", 137, ""),
        ("cat", 0, ""),
        # ripgrep, for one, searches the folder then, and an empty file of its own otherwise.
        ("readlink /proc/self/fd/0", 0, "/dev/null\n"),
        ("printf 'caf\\351'", 0, "caf\ufffd"),
    ],
)
def test_exit_code_and_output_are_kept(tmp_path: Path, script: str, code: int, output: str) -> None:
    finished = run(script, tmp_path)
    assert (finished.exit_code, finished.output) == (code, output)


def test_a_program_that_is_not_there_is_127(tmp_path: Path) -> None:
    finished = Runner(Stop()).run(
        ["/nowhere"], directory=tmp_path, environ=ENVIRON, seconds=PATIENCE_SECONDS
    )
    assert finished.exit_code == 127
    assert "/nowhere: No such file or directory" in finished.output


@pytest.mark.parametrize("size", [300_000, LARGEST_IN_MEMORY + 1])
def test_standard_input_is_whole(tmp_path: Path, size: int) -> None:
    text = b"x" * size
    runner = Runner(Stop())
    wc = runner.run(
        ["wc", "-c"], directory=tmp_path, environ=ENVIRON, seconds=PATIENCE_SECONDS, stdin=text
    )
    assert wc.output.strip() == str(size)


def test_of_long_output_both_ends_are_kept(tmp_path: Path) -> None:
    finished = run("echo first; seq 1 500000; echo last", tmp_path)
    assert finished.output.startswith("first\n")
    assert finished.output.endswith("last\n")
    assert "bytes left out" in finished.output
    assert len(finished.output) < 110_000


def test_a_time_limit_ends_the_whole_family(tmp_path: Path) -> None:
    finished = run("(echo $BASHPID > child; sleep 600) & sleep 600", tmp_path, seconds=2)
    assert finished.is_timed_out
    assert not is_alive(tmp_path / "child")


def test_a_process_that_closed_its_output_is_still_waited_for(tmp_path: Path) -> None:
    assert run("exec >&- 2>&-; sleep 0.2; touch done", tmp_path).exit_code == 0
    assert (tmp_path / "done").exists()


def test_a_background_process_ends_with_its_command(tmp_path: Path) -> None:
    child = 'bash -c "echo \\$\\$ > {}; sleep 600" & until [ -s {} ]; do sleep 0.02; done'
    script = f"{child.format('near', 'near')}; setsid {child.format('far', 'far')}; disown -a"
    assert run(script, tmp_path, seconds=PATIENCE_SECONDS).exit_code == 0
    assert not is_alive(tmp_path / "near")
    assert not is_alive(tmp_path / "far")


CHAIN = """
import os, time
for fd in (0, 1, 2):
    os.close(fd)
for _ in range(150):
    if os.fork():
        os._exit(0)
open("end", "w").write(str(os.getpid()))
time.sleep(600)
"""
"""Each of them lives for a moment: its number is a stranger's soon."""


def test_a_process_that_forks_and_ends_again_and_again_ends(tmp_path: Path) -> None:
    (tmp_path / "chain.py").write_text(CHAIN)
    assert run("python3 -I -S chain.py", tmp_path).exit_code == 0
    assert not (tmp_path / "end").exists() or not is_alive(tmp_path / "end")


def test_the_stop_signal_ends_a_command(tmp_path: Path) -> None:
    stop = Stop()
    timer = threading.Timer(0.3, stop.request, (Reason.CANCELLED, "enough"))
    timer.start()
    with pytest.raises(Stopped, match="enough"):
        run("sleep 600", tmp_path, seconds=PATIENCE_SECONDS, stop=stop)
    timer.join()


def test_a_directory_that_is_gone_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run("true", tmp_path / "nowhere")
