"""Runs one agent on this host, outlives the launcher, and records the agent's exit code.

A program of its own, started by path: `supervisor.py <directory> <command> …`. It returns as soon
as the agent's process is on record; a daemon stays behind. It imports the standard library alone,
to start quickly.

The agent's variables come on standard input and are passed on in a file that the agent removes
before it runs anything: no environment shows them.
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
"""Exit code of a shell for a missing command."""


def birth(pid: int) -> str | None:
    """Distinguishes a process from a later one with the same pid: the boot id and its start (clock
    ticks since boot, field 22 of /proc/<pid>/stat, see proc(5)). None if there is no process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return f"{boot}:{stat.rpartition(')')[2].split()[19]}"


def write_whole(path: Path, text: str) -> None:
    """Writes a file atomically."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def main(directory: Path, command: list[str]) -> int:
    """Starts a daemon and returns 0 once its process is on record."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # hides our memory and environment
    variables = sys.stdin.read()
    if not _is_whole(variables):
        sys.stderr.write("the launcher ended before it had passed all variables\n")
        return 1
    ready, notify = os.pipe()
    if os.fork():
        os.close(notify)
        return 0 if os.read(ready, 1) else 1
    os.close(ready)
    os.setsid()
    if not _take(directory):
        os.write(notify, b".")
        return 0
    os.write(notify, b".")
    os.close(notify)
    write_whole(directory / ENVIRONMENT, variables)
    del variables
    exit_code = _run(command)
    write_whole(directory / EXIT, json.dumps({"exitCode": exit_code}))
    _reap()
    return 0


def _is_whole(variables: str) -> bool:
    """False for a part of the variables: an agent without them could reach nobody, and would hold
    the place of the one that the next launcher starts."""
    try:
        json.loads(variables)
    except json.JSONDecodeError:
        return False
    return True


def _take(directory: Path) -> bool:
    """True for one of all supervisors started here. It holds the lock until it ends."""
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
    """The agent's exit code; its orphans become our children and can be found."""
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
    """Waits for the last orphan."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
