"""The Landlock domain of a command, which the kernel enforces without privileges (landlock(7)).

A command runs under the runner's own user. In its domain it reads no memory, environment or
descriptor of a process outside (Linux 5.13), signals none and reaches no abstract socket (6.12),
writes in its own directories alone, reads no hidden file, and connects to no closed port (6.7).
Landlock does not govern names and `stat`, changes of mode or owner, and sockets in the file system.

Run as a script it prints what the kernel cannot do, and the open sockets: a doctor asks it so.
"""

import ctypes
import functools
import os
import re
import stat
import struct
import sys
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path
from typing import Final, cast

CREATE_RULESET: Final = 444
ADD_RULE: Final = 445
_VERSION: Final = 1
"""LANDLOCK_CREATE_RULESET_VERSION: returns the ABI's number instead."""
_PATH_BENEATH: Final = 1
_NET_PORT: Final = 2
_CONNECT_TCP: Final = 1 << 1
_LAST_PORT: Final = 65_535
TRUNCATING_SINCE: Final = 3
"""The first ABI that governs truncation of files (Linux 6.2)."""
PORTS_SINCE: Final = 4
"""The first ABI that governs connections."""
DAEMON_PORTS: Final = (2280, 22220, 22222, 33333)
"""Of Daytona's daemon in a sandbox, which runs any command for anybody, outside of every domain."""
SIGNALS_SINCE: Final = 6
"""The first ABI that governs signals."""


class Access(IntFlag):
    """LANDLOCK_ACCESS_FS_*."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


_SINCE: Final = ((2, Access.REFER), (3, Access.TRUNCATE), (5, Access.IOCTL_DEV))
"""Rights that came after the first ABI."""
_ALL: Final = Access((1 << 16) - 1)
_OF_FILES: Final = (
    Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE | Access.IOCTL_DEV
)
_READ: Final = Access.EXECUTE | Access.READ_FILE
_OWN: Final = _ALL & ~(Access.MAKE_CHAR | Access.MAKE_BLOCK)
_DEVICE: Final = Access.READ_FILE | Access.WRITE_FILE | Access.TRUNCATE | Access.IOCTL_DEV
_SHARED_MEMORY: Final = _DEVICE | Access.MAKE_REG | Access.REMOVE_FILE
_SCOPES: Final = 0b11
"""LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET and _SIGNAL."""

DEVICES: Final = Path("/dev")
_SAFE_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty", "ptmx")
"""Others are disks and memory, from which root could read hidden files."""
_TERMINALS: Final = DEVICES / "pts"
_SHARED: Final = DEVICES / "shm"
"""The only place of POSIX semaphores: without it Python's multiprocessing has no locks."""

_SOCKETS: Final = Path("/proc/net/unix")
_LISTENS: Final = "00010000"
_RUNS_PROGRAMS: Final = re.compile(
    r"/.*/(?:docker|containerd|podman|crio|buildkitd)\.sock|/.*/tmux-\d+/.+|/.*/ssh-.+/agent\..+"
    r"|/run/(?:user/\d+/)?(?:systemd/private|bus)"
)


def abi() -> int:
    """The kernel's version of Landlock; 0: it has none, or it is switched off."""
    return max(_syscall(CREATE_RULESET, None, 0, _VERSION), 0)


def missing_protection(version: int) -> str | None:
    """A sentence for the task's owner about the gaps of this version, if it has any."""
    if version >= SIGNALS_SINCE:
        return None
    if version:
        return (
            "The sandbox's kernel is older than Linux 6.12: the agent's commands reach no secret "
            "of ours, but they can end the runner"
            + (" and empty files of ours." if version < TRUNCATING_SINCE else ".")
        )
    return (
        "The sandbox's kernel has no Landlock (Linux 5.13, 6.12 for all of it): the agent's "
        "commands are kept from the runner's files and processes by nothing but good manners."
    )


def open_sockets() -> str | None:
    """A sentence about sockets of servers that run programs: a command could leave its domain by
    them, and no rule closes a socket in the file system."""
    with suppress(OSError):
        rows = (line.split(maxsplit=7) for line in _SOCKETS.read_text().splitlines()[1:])
        listening = {row[7] for row in rows if len(row) > 7 and row[3] == _LISTENS}
        served = filter(_RUNS_PROGRAMS.fullmatch, listening)
        if found := sorted(path for path in served if os.access(path, os.W_OK)):
            return f"The agent's commands can speak to {', '.join(found)}."
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Confinement:
    """The domains of one attempt's commands."""

    hidden: tuple[Path, ...]
    """Our directories; of these a command reads its own part alone."""
    version: int
    """0: commands are not confined."""
    closed_ports: tuple[int, ...] = ()
    """Ports that no command may connect to, on any host."""
    has_filter: bool = True
    """The kernel also takes the filter of system calls."""
    ports: int | None = None
    """A descriptor of their rules: these are tens of thousands, and made once."""

    @classmethod
    def made(
        cls,
        hidden: Iterable[Path],
        *,
        version: int,
        closed_ports: tuple[int, ...] = (),
        has_filter: bool = True,
    ) -> "Confinement":
        """Make the rules that all commands share; raises OSError if the kernel refuses them."""
        is_able = bool(closed_ports) and version >= PORTS_SINCE
        return cls(
            hidden=tuple(hidden),
            version=version,
            closed_ports=closed_ports,
            has_filter=has_filter,
            ports=_ports(closed_ports) if is_able else None,
        )

    @property
    def warning(self) -> str | None:
        """A sentence for the task's owner about what is not confined, if there is any."""
        if 0 < self.version < PORTS_SINCE and self.closed_ports:
            return (
                "The sandbox's kernel is older than Linux 6.7: the agent's commands can have the "
                "sandbox's own daemon read the runner's secrets, and end the runner."
            )
        gap = missing_protection(self.version)
        if gap is None and not self.has_filter:
            return (
                "The sandbox's kernel takes no filter of system calls: the agent's commands can "
                "lower the limits of the runner, and end it."
            )
        return gap

    @contextmanager
    def rules(self, own: Iterable[Path]) -> Iterator[tuple[int, ...]]:
        """Descriptors of the rules for one command, which may change its `own` directories.

        None without Landlock; raises OSError if the kernel refuses the rules.
        """
        if not self.version:
            yield ()
            return
        ruleset = _Ruleset(self.version)
        try:
            for path in own:
                with suppress(FileNotFoundError):
                    ruleset.allow(path, _OWN)
            self._allow_reading(ruleset)
            _allow_devices(ruleset)
            yield (ruleset.descriptor, *(() if self.ports is None else (self.ports,)))
        finally:
            os.close(ruleset.descriptor)

    def _allow_reading(self, ruleset: "_Ruleset") -> None:
        """Landlock can only allow, and with a directory all beneath it: so each neighbour of a
        hidden directory is allowed by itself. Names may be listed everywhere."""
        ruleset.allow(Path("/"), Access.READ_DIR)
        closed = {DEVICES, *(path.resolve() for path in self.hidden)}
        above = {parent for path in closed for parent in path.parents}
        for directory in above:
            if closed.isdisjoint((directory, *directory.parents)):
                apart = {path.name for path in closed | above if path.parent == directory}
                with suppress(OSError):  # not ours to list
                    ruleset.allow_entries(directory, _READ, but=apart)


def _allow_devices(ruleset: "_Ruleset") -> None:
    rights = [(DEVICES / name, _DEVICE) for name in _SAFE_DEVICES]
    rights += [(_SHARED, _SHARED_MEMORY)]
    if not _has_terminals():
        rights += [(_TERMINALS, _DEVICE)]
    for path, access in rights:
        with suppress(OSError):
            ruleset.allow(path, access)


def _has_terminals() -> bool:
    """True if somebody works at a terminal of our user, whose input is not for a command; it cannot
    be told from the terminals that the command would open."""
    with suppress(OSError):
        return any(each.stat().st_uid == os.getuid() for each in _TERMINALS.glob("[0-9]*"))
    return False


def _ports(closed: tuple[int, ...]) -> int:
    """The descriptor of rules that allow every other port: Landlock cannot forbid one."""
    descriptor = _checked(_syscall(CREATE_RULESET, struct.pack("=QQ", 0, _CONNECT_TCP), 16, 0))
    allow = _add_rule()
    for port in set(range(_LAST_PORT + 1)).difference(closed):
        if allow(ADD_RULE, descriptor, _NET_PORT, struct.pack("=QQ", _CONNECT_TCP, port), 0):
            raise OSError(ctypes.get_errno(), "Landlock: a port cannot be allowed")
    return descriptor


class _Ruleset:
    def __init__(self, version: int) -> None:
        newer = [right for since, right in _SINCE if version < since]
        self._handled = _ALL & ~sum(newer, Access(0))
        content = struct.pack("=QQQ", self._handled, 0, _SCOPES)
        size = 24 if version >= SIGNALS_SINCE else 8
        self.descriptor = _checked(_syscall(CREATE_RULESET, content, size, 0))

    def allow(self, path: Path, access: Access) -> None:
        """Allow it for a file, or for all beneath a directory."""
        target = _open(path)
        of_directories, of_files = self._rights(access)
        is_directory = stat.S_ISDIR(os.fstat(target).st_mode)
        self._allow(target, of_directories if is_directory else of_files)

    def allow_entries(self, directory: Path, access: Access, *, but: Container[str]) -> None:
        """Allow it for each entry of a directory by itself; there may be thousands of them."""
        of_directories, of_files = self._rights(access)
        listed = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with os.scandir(listed) as entries:
                for entry in entries:
                    if entry.name in but or entry.is_symlink():
                        continue
                    is_directory = entry.is_dir(follow_symlinks=False)
                    rights = of_directories if is_directory else of_files
                    with suppress(OSError):  # gone meanwhile, or not ours to open
                        self._allow(_open(entry.name, listed), rights)
        finally:
            os.close(listed)

    def _rights(self, access: Access) -> tuple[int, int]:
        """The part of it that this version knows: for a directory, and for a file."""
        known = access & self._handled
        return int(known), int(known & _OF_FILES)

    def _allow(self, target: int, rights: int) -> None:
        try:
            rule = struct.pack("=Qi", rights, target)
            if _add_rule()(ADD_RULE, self.descriptor, _PATH_BENEATH, rule, 0):
                _checked(-ctypes.get_errno())
        finally:
            os.close(target)


def _open(path: Path | str, directory: int | None = None) -> int:
    return os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    """The kernel's answer, an error as its negative number; the C library lacks these calls."""
    if sys.platform != "linux":
        return -1
    typed = (ctypes.c_long(x) if isinstance(x, int) else ctypes.c_char_p(x) for x in arguments)
    answer = int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *typed))
    return -ctypes.get_errno() if answer < 0 else answer


@functools.cache
def _add_rule() -> Callable[[int, int, int, bytes, int], int]:
    """The system call with typed arguments, which are faster: there may be thousands of rules."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_long)
    return cast("Callable[[int, int, int, bytes, int], int]", call)


def _checked(answer: int) -> int:
    if answer < 0:
        raise OSError(-answer, f"Landlock: {os.strerror(-answer)}")
    return answer


if __name__ == "__main__":
    print(missing_protection(abi()) or "", open_sockets() or "", sep="\n")
