"""Runs one agent on this host, outlives the launcher, and writes down how the agent ended.

A program of its own, started by path and without site packages: `supervisor.py <directory>
<command> …`. It returns as soon as the agent's process is on record; a daemon stays behind. Only
the standard library is imported, so that it starts quickly whatever the launcher consists of.

The agent's variables come on standard input, and go on in a file that the agent removes before it
runs anything: no environment ever shows them.
"""

import ctypes
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

LOCK = "lock"
PROCESS = "process.json"
EXIT = "exit.json"
ENVIRONMENT = "state/environment.json"

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
CANNOT_RUN = 127
"""The exit code a shell gives for a command that is not there."""


def birth(pid: int) -> str | None:
    """What tells this process from a later one of the same number; None if it is not there.

    The boot's id and field 22 of /proc/<pid>/stat (clock ticks since boot; see proc(5)).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return f"{boot}:{stat.rpartition(')')[2].split()[19]}"


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that a reader sees all of it or nothing."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def main(directory: Path, command: list[str]) -> int:
    """Leaves a daemon behind and answers 0 once its process is on record."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # nobody of our user looks in
    variables = sys.stdin.read()
    heard, said = os.pipe()
    if os.fork():
        os.close(said)
        return 0 if os.read(heard, 1) else 1
    os.close(heard)
    os.setsid()
    if not _take(directory):
        os.write(said, b".")
        return 0
    os.write(said, b".")
    os.close(said)
    write_whole(directory / ENVIRONMENT, variables)
    del variables
    exit_code = _run(command)
    write_whole(directory / EXIT, json.dumps({"exitCode": exit_code}))
    _reap()
    return 0


def _take(directory: Path) -> bool:
    """Whether this agent is ours to start; of all supervisors started here one is told so.

    The lock is held until this process ends: who can take it knows that there is no supervisor.
    """
    lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    if (directory / PROCESS).exists():
        return False
    record = {"pid": os.getpid(), "birth": birth(os.getpid())}
    write_whole(directory / PROCESS, json.dumps(record))
    return True


def _run(command: list[str]) -> int:
    """The agent's exit code; processes it abandons become our children and can be found."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        agent = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error}\n")
        return CANNOT_RUN
    while True:
        pid, status = os.wait()
        if pid == agent.pid:
            return os.waitstatus_to_exitcode(status)


def _reap() -> None:
    """Stays until the last abandoned process is gone."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
