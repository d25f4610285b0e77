"""Processes that run in a test's own folder."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from launcher.providers.local.supervisor import birth
from snapshot.runner import reexec

AGENT = "agent-runner.py"
SUPERVISOR = "supervisor.py"
STATE, THREADS = 0, 17
"""Positions in /proc/<pid>/stat behind the name."""
LOOK_SECONDS = 0.02
FORKS = "agents"
"""The part of the folder in which agents that are forks note who they are (`tests.e2e.agent`)."""
RUNNERS = (reexec.ATTEMPT, reexec.AFTER_DEATH)
"""Commands with which the agent's own process starts the worker, or reports its death."""


@dataclass(frozen=True, kw_only=True)
class Agent:
    """One agent, told from a later process of the same number by its birth."""

    pid: int
    birth: str
    supervisor: int | None
    """Also the session of all that the agent starts; None for a fork."""
    sandbox: str
    """The sandbox's name: the task's part, a dash, the attempt."""

    @property
    def task(self) -> str:
        """The end of its task's id."""
        return self.sandbox.removeprefix("slipgate-").rpartition("-")[0]


def of_folder(folder: Path) -> dict[int, str]:
    """Live processes that name the folder in their command or environment, this one excepted, and
    agents that are forks."""
    needle = os.fsencode(folder)
    living = {one.pid for one in _living_forks(folder)}
    return {
        pid: command
        for pid, command in _commands()
        if pid != os.getpid()
        and (pid in living or needle in os.fsencode(command) or needle in _environ(pid))
    }


def end_all(folder: Path) -> None:
    """Kills the folder's processes and all below them, of which not each names it. They are stopped
    first: what runs on could start another one that nobody finds."""
    stopped: set[int] = set()
    while found := _with_descendants(of_folder(folder)) - stopped:
        _signal(found, signal.SIGSTOP)
        stopped |= found
    _signal(stopped, signal.SIGKILL)
    while any(map(is_alive, stopped)):
        time.sleep(LOOK_SECONDS)


def _with_descendants(pids: Iterable[int]) -> set[int]:
    found = set(pids)
    parents = {pid: _parent(pid) for pid, _ in _commands()}
    while below := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= below
    return found


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def runner(agent: Agent) -> int:
    """The process that does the attempt; the agent's own stands beside it and waits for its end."""
    names = (AGENT, _command(agent.pid))  # a fork has its parent's
    below = ((pid, line) for pid, line in _commands() if _parent(pid) == agent.pid)
    (found,) = (pid for pid, line in below if any(name in line for name in names))
    return found


def is_alive(pid: int) -> bool:
    """True if a thread of the process runs: while one does, its connections are open, though the
    first may only wait to be reaped (see proc(5))."""
    fields = _fields(pid)
    return bool(fields) and (fields[STATE] not in {b"Z", b"X"} or int(fields[THREADS]) > 1)


def writing(log: Path) -> dict[int, str]:
    """Processes whose output this is, with their states: nothing else shows whose a fork is."""
    return {pid: _state(pid) for pid, _ in _commands() if _output(pid) == log}


def agents(folder: Path) -> set[Agent]:
    """Agents whose sandbox lies in the folder. Where they are forks, nothing else is looked at:
    tests ask all the time."""
    if (folder / FORKS).is_dir():
        return _living_forks(folder)
    table = dict(_commands())
    sandboxes = {
        pid: _sandbox(line, folder)
        for pid, line in table.items()
        if SUPERVISOR in line and str(folder) in line
    }
    living = ((pid, _parent(pid)) for pid, line in table.items() if _is_agents_own(line))
    return {
        Agent(pid=pid, birth=started, supervisor=parent, sandbox=sandboxes[parent])
        for pid, parent in living
        if parent in sandboxes and (started := birth(pid)) is not None
    }


def forks(folder: Path) -> set[Agent]:
    """All that ever noted who they are, the dead included."""
    notes = [path for path in (folder / FORKS).glob("*.*") if path.suffix != ".draft"]
    return {
        Agent(pid=int(note.suffix[1:]), birth=note.read_text(), supervisor=None, sandbox=note.stem)
        for note in notes
    }


def forget_forks(folder: Path) -> None:
    """Removes the notes of all, who have ended."""
    for note in (folder / FORKS).glob("*"):
        note.unlink()


def _living_forks(folder: Path) -> set[Agent]:
    return {one for one in forks(folder) if birth(one.pid) == one.birth and is_alive(one.pid)}


def _is_agents_own(command: str) -> bool:
    """Not the runner beside it: for the moment in which that one dies too, it has a killed agent's
    parent."""
    return AGENT in command and not any(mode in command for mode in RUNNERS)


def _sandbox(command: str, folder: Path) -> str:
    directory = next(word for word in command.split() if word.startswith(str(folder)))
    return Path(directory).name


def _commands() -> Iterator[tuple[int, str]]:
    for entry in os.listdir("/proc"):  # noqa: PTH208 - hundreds of paths, again and again
        if entry.isdigit() and (command := _command(int(entry))):
            yield int(entry), command


def _command(pid: int) -> str:
    return os.fsdecode(_read(f"/proc/{pid}/cmdline").replace(b"\0", b" "))


def _parent(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[1]) if fields else 0


def _state(pid: int) -> str:
    fields = _fields(pid)
    return fields[STATE].decode() if fields else ""


def _fields(pid: int) -> list[bytes]:
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def _output(pid: int) -> Path | None:
    with suppress(OSError):
        return Path(f"/proc/{pid}/fd/1").readlink()
    return None


def _environ(pid: int) -> bytes:
    return _read(f"/proc/{pid}/environ")


def _read(path: str) -> bytes:
    """Empty for a process that has gone meanwhile, and for one that only waits to be reaped."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
