"""What the process table says about a test's own folder."""

import os
from collections.abc import Iterator
from pathlib import Path

from launcher.providers.supervisor import birth

AGENT = "agent-runner.py"
SUPERVISOR = "supervisor.py"


def of_folder(folder: Path) -> dict[int, str]:
    """Live processes that name the folder in their command or environment, this one excepted."""
    needle = os.fsencode(folder)
    return {
        pid: command
        for pid, command in _commands()
        if pid != os.getpid() and (needle in os.fsencode(command) or needle in _environ(pid))
    }


def agents(folder: Path) -> dict[int, str | None]:
    """Agents whose sandbox lies in the folder, with what tells each from a later namesake."""
    table = dict(_commands())
    supervisors = {pid for pid, line in table.items() if SUPERVISOR in line and str(folder) in line}
    return {
        pid: birth(pid)
        for pid, line in table.items()
        if AGENT in line and _parent(pid) in supervisors
    }


def _commands() -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (command := _read(entry / "cmdline")):
            yield int(entry.name), os.fsdecode(command.replace(b"\0", b" "))


def _parent(pid: int) -> int | None:
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split()
    return int(fields[1]) if fields else None


def _environ(pid: int) -> bytes:
    return _read(Path(f"/proc/{pid}/environ"))


def _read(path: Path) -> bytes:
    """Empty for a process that has gone meanwhile, and for one that only waits to be reaped."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
