"""Runs one command for the runner and lets nothing that it started outlive it.

A program of its own, started as `python -I -S -c START <parent pid> <grace seconds> <rulesets>
<filter> -- <argv>`, where START imports this module; `<rulesets>` are descriptors of the Landlock
rules for the command, joined by commas, `<filter>` is its seccomp program in hex, or both are `-`.
The runner has threads, and only a process without them may fork safely. As subreaper of the command
it is the parent of every orphan, and it gets a signal when the runner dies, even of SIGKILL.

SIGTERM: ask all descendants to end, kill the rest after the grace. SIGUSR1: kill them now.

Every command waits for its start, so it loads little (neither `pathlib` nor `typing`), and what was
compiled before: a command costs 16 ms of processor time, not 24.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator
    from typing import Final, NoReturn, TypeVar

    Answer = TypeVar("Answer")
else:
    import _signal as signal  # `signal` itself loads `enum`, and that `functools`: 6 ms

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_CHILD_SUBREAPER: Final = 36
PR_SET_SECCOMP: Final = 22
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
LANDLOCK_RESTRICT_SELF: Final = 446
SECCOMP_MODE_FILTER: Final = 2
INSTRUCTION_BYTES: Final = 8
CAPABILITIES: Final = frozenset({0, 1, 3, 4, 5, 6, 7, 10, 18})
"""A confined root keeps CAP_CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID,
NET_BIND_SERVICE and SYS_CHROOT. With others (PERFMON, SYS_ADMIN) it would read foreign memory."""
LAST_CAPABILITY: Final = 63
LARGEST_FILE_BYTES: Final = 4 * 1024**3
REAP_SECONDS: Final = 5.0
CANNOT_RUN: Final = 126
NOT_FOUND: Final = 127
LIBRARY: Final = ctypes.CDLL(None, use_errno=True)
SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD})


def harden() -> None:
    """Close the runner's memory to its own children, and become the parent of their orphans.

    A process that is not dumpable has no /proc/<pid>/mem, environ and fd for its own user, who may
    not trace it either. Root, and a kernel without this, are not held.
    """
    _prctl(PR_SET_DUMPABLE, 0)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """End the runner when its parent, the supervisor, ends: then the sandbox itself is being ended.
    A parent that ended before this call sends no signal."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def kill_all() -> None:
    """Kill every descendant, for a bounded time; called while no child of ours should live.

    Only children are killed: an orphan becomes our child, and a child keeps its number until we
    reap it, so that no signal meets a foreign process. One that forks and ends for ever is met
    because little time passes between a look and its signal.
    """
    ends_at = time.monotonic() + REAP_SECONDS
    while _reap() is not None and time.monotonic() < ends_at:
        for process in _children():
            _try(os.kill, process, signal.SIGKILL)
        time.sleep(0.001)


def main() -> NoReturn:
    """Run the command, wait for it or for a signal, end with its exit code."""
    parent, grace = int(sys.argv[1]), float(sys.argv[2])
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _prctl(PR_SET_PDEATHSIG, signal.SIGUSR1)
    if os.getppid() != parent:
        os._exit(CANNOT_RUN)
    rulesets = [int(word) for word in sys.argv[3].split(",") if word != "-"]
    command = _start(sys.argv[6:], rulesets, sys.argv[4])
    code = _wait(command, grace)
    kill_all()
    os._exit(code)


def _prctl(option: int, value: int) -> None:
    """A kernel that does not have the option, or refuses it, changes nothing."""
    call = getattr(LIBRARY, "prctl", None)
    if call is not None:
        call(option, value, 0, 0, 0)


def _start(argv: list[str], rulesets: list[int], program: str) -> int:
    command = os.fork()
    if command:
        return command
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_files()
    if rulesets:
        _confine(rulesets)
        _filter(bytes.fromhex(program))
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - an argument list, never a shell string
    except OSError as exc:
        os.write(2, f"{argv[0]}: {exc.strerror}\n".encode())
        os._exit(NOT_FOUND if isinstance(exc, FileNotFoundError) else CANNOT_RUN)


def _confine(rulesets: list[int]) -> None:
    """Enter the domains, for good; a command that cannot is not run at all."""
    for capability in set(range(LAST_CAPABILITY + 1)) - CAPABILITIES:
        _prctl(PR_CAPBSET_DROP, capability)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    for ruleset in rulesets:
        os.set_inheritable(ruleset, False)
        words = (LANDLOCK_RESTRICT_SELF, ruleset, 0)
        if LIBRARY.syscall(*map(ctypes.c_long, words)):
            reason = os.strerror(ctypes.get_errno())
            os.write(2, f"slipgate: the command cannot be confined: {reason}\n".encode())
            os._exit(CANNOT_RUN)


def _filter(program: bytes) -> None:
    """Install the filter of system calls; without one the command runs all the same."""
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // INSTRUCTION_BYTES, ctypes.addressof(code))
    LIBRARY.prctl(
        PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.c_char_p(header), 0, 0
    )


def _limit_files() -> None:
    """One runaway file must not fill the disk; a lower limit that is already there stays."""
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
            _terminate_all(grace)
            return 128 + signal.SIGTERM
        status = (_reap() or {}).get(command)
        if status is not None:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _terminate_all(grace: float) -> None:
    """Send SIGTERM to every descendant, and wait for their ends as long as the grace lasts."""
    held: dict[int, int] = {}
    try:
        # A number is used anew once its process is gone: hold each process, then look again.
        for process in _descendants(os.getpid()):
            descriptor = _try(os.pidfd_open, process)
            if descriptor is not None:
                held[process] = descriptor
        for process in held.keys() & set(_descendants(os.getpid())):
            _try(signal.pidfd_send_signal, held[process], signal.SIGTERM)
    finally:
        for descriptor in held.values():
            os.close(descriptor)
    ends_at = time.monotonic() + grace
    while _reap() is not None and time.monotonic() < ends_at:
        if signal.SIGUSR1 in signal.sigpending():
            return
        time.sleep(0.02)


def _try(call: Callable[..., Answer], *numbers: int) -> Answer | None:
    """Its answer; None if the kernel refuses, mostly because the process is gone."""
    try:
        return call(*numbers)
    except OSError:
        return None


def _reap() -> dict[int, int] | None:
    """Collect the children that ended: process id → wait status; None: there is no child."""
    ended: dict[int, int] = {}
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = found[1]
    except ChildProcessError:
        return ended or None
    return ended


def _descendants(ancestor: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for process, parent in _parents():
        children.setdefault(parent, []).append(process)
    found = list(children.get(ancestor, []))
    for process in found:
        found += children.get(process, [])
    return found


def _children() -> Iterator[int]:
    """Children of all our threads; a kernel without such lists has them in its process table."""
    try:
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/children", "rb") as file:
                yield from map(int, file.read().split())
    except OSError:
        us = os.getpid()
        yield from (process for process, parent in _parents() if parent == us)


def _parents() -> Iterator[tuple[int, int]]:
    """Each process with its parent."""
    for process in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/stat", "rb") as file:
                stat = file.read()
        except OSError:
            continue
        # The name before the last parenthesis may itself hold spaces and parentheses.
        yield int(process), int(stat.rpartition(b")")[2].split()[1])
