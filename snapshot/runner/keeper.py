"""Runs one command for the runner and lets nothing it started outlive it.

A program of its own, started as `python -I -S keeper.py <parent pid> <grace seconds> <ruleset> --
<argv>`; `<ruleset>` is a descriptor of the Landlock rules for the command, or `-`. The runner has
threads, and only a process without them may fork and arrange its child's last
things safely. It is the subreaper of the command, so that a daemon that was forked twice still
ends as its child, and it hears when the runner dies, even of SIGKILL.

SIGTERM: ask the family to end, kill what is left after the grace. SIGUSR1: kill it now.
"""

import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
LANDLOCK_RESTRICT_SELF: Final = 446
CAPABILITIES: Final = frozenset({0, 1, 3, 4, 5, 6, 7, 10, 18})
"""A confined root keeps CAP_CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID,
NET_BIND_SERVICE and SYS_CHROOT. With others (PERFMON, SYS_ADMIN) it would read foreign memory."""
LAST_CAPABILITY: Final = 63
LARGEST_FILE_BYTES: Final = 4 * 1024**3
REAP_SECONDS: Final = 5.0
CANNOT_RUN: Final = 126
NOT_FOUND: Final = 127
SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD})


def prctl(option: int, value: int) -> None:
    """One prctl call; a kernel without it, or one that refuses it, leaves us as we were."""
    call = getattr(ctypes.CDLL(None), "prctl", None)
    if call is not None:
        call(option, value, 0, 0, 0)


def descendants(ancestor: int) -> list[int]:
    """Every process below this one, nearest first."""
    children: dict[int, list[int]] = {}
    for process, parent in _parents():
        children.setdefault(parent, []).append(process)
    found = list(children.get(ancestor, []))
    for process in found:
        found += children.get(process, [])
    return found


def kill_descendants(ancestor: int, signal_number: int) -> None:
    """Send a signal to every one of them that still lives."""
    for process in descendants(ancestor):
        try:
            os.kill(process, signal_number)
        except (ProcessLookupError, PermissionError):
            continue


def reap() -> dict[int, int]:
    """Collect the children that ended: process id → wait status."""
    ended: dict[int, int] = {}
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = found[1]
    except ChildProcessError:
        pass
    return ended


def kill_all() -> None:
    """Kill our family until none is left; a fork bomb is raced for a bounded time."""
    ends_at = time.monotonic() + REAP_SECONDS
    while _has_children() and descendants(os.getpid()) and time.monotonic() < ends_at:
        kill_descendants(os.getpid(), signal.SIGKILL)
        time.sleep(0.005)


def _has_children() -> bool:
    """Whether one is left when those that ended are collected; cheap, unlike a search."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def main() -> NoReturn:
    """Run the command, wait for it or for a signal, end with its exit code."""
    parent, grace = int(sys.argv[1]), float(sys.argv[2])
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGUSR1)
    if os.getppid() != parent:
        os._exit(CANNOT_RUN)
    command = _start(sys.argv[5:], None if sys.argv[3] == "-" else int(sys.argv[3]))
    code = _wait(command, grace)
    kill_all()
    os._exit(code)


def _start(argv: list[str], ruleset: int | None) -> int:
    command = os.fork()
    if command:
        return command
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _bound_files()
    if ruleset is not None:
        _confine(ruleset)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - an argument list, never a shell string
    except OSError as exc:
        os.write(2, f"{argv[0]}: {exc.strerror}\n".encode())
        os._exit(NOT_FOUND if isinstance(exc, FileNotFoundError) else CANNOT_RUN)


def _confine(ruleset: int) -> None:
    """Enter the domain, for good; a command that cannot is not run at all."""
    os.set_inheritable(ruleset, False)
    for capability in set(range(LAST_CAPABILITY + 1)) - CAPABILITIES:
        prctl(PR_CAPBSET_DROP, capability)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    call = ctypes.CDLL(None, use_errno=True).syscall
    if call(ctypes.c_long(LANDLOCK_RESTRICT_SELF), ctypes.c_long(ruleset), ctypes.c_long(0)):
        reason = os.strerror(ctypes.get_errno())
        os.write(2, f"slipgate: the command cannot be confined: {reason}\n".encode())
        os._exit(CANNOT_RUN)


def _bound_files() -> None:
    """One runaway file must not fill the disk; a lower bound that is already there stays."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if hard == resource.RLIM_INFINITY or hard > LARGEST_FILE_BYTES:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE_BYTES, LARGEST_FILE_BYTES))


def _wait(command: int, grace: float) -> int:
    """The command's exit code, 128 + signal if one ended it."""
    while True:
        arrived = signal.sigwait(SIGNALS)
        if arrived == signal.SIGUSR1:
            return 128 + signal.SIGKILL
        if arrived == signal.SIGTERM:
            _ask_to_end(grace)
            return 128 + signal.SIGTERM
        status = reap().get(command)
        if status is not None:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _ask_to_end(grace: float) -> None:
    kill_descendants(os.getpid(), signal.SIGTERM)
    ends_at = time.monotonic() + grace
    while descendants(os.getpid()) and time.monotonic() < ends_at:
        if signal.SIGUSR1 in signal.sigpending():
            return
        time.sleep(0.02)
        reap()


def _parents() -> Iterator[tuple[int, int]]:
    """Each process with its parent."""
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            stat = (directory / "stat").read_text(errors="replace")
        except OSError:
            continue
        # The name before the last parenthesis may itself hold spaces and parentheses.
        yield int(directory.name), int(stat.rpartition(")")[2].split()[1])


if __name__ == "__main__":
    main()
