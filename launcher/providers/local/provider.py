"""Sandboxes that are none: agents as processes of this host, each in a directory of its own.

<state>/realm                          who we are, for as long as the directory lives
<state>/<instance>/<name>/sandbox.json labels, snapshot, time of creation: it exists
                          lock         held while its supervisor lives
                          process.json the supervisor's process: it was started, for good
                          exit.json    how the agent ended
                          output.log   what the agent printed
                          home/        the agent's HOME and working directory
                          state/       SLIPGATE_STATE_DIR, the spool in it
"""

import asyncio
import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from gateway.wire.authorities import Authorities
from gateway.wire.launcher import Process, ReportedState
from launcher.providers.local.files import open_regular, restore_access
from launcher.providers.local.processes import (
    GRACE_SECONDS,
    StillRunning,
    Supervisor,
    end,
    members,
)
from launcher.providers.local.supervisor import EXIT, LOCK, PROCESS, write_whole
from launcher.providers.program import Program
from launcher.providers.protocol import (
    LOG_TAIL,
    Key,
    ProviderError,
    SandboxSpec,
    SandboxStatus,
    SpoolPiece,
)
from launcher.providers.spool import read_piece
from launcher.sandbox_env import check_variables

Record = TypeVar("Record")

SANDBOX = "sandbox.json"
OUTPUT = "output.log"
EXECUTION = (
    "bash",
    str(Path(__file__).resolve().parents[3] / "snapshot" / "execution.sh"),
)
RUNNER = Path(EXECUTION[1]).with_name("agent-runner.py")
SUPERVISOR = Path(__file__).with_name("supervisor.py")
SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
RECORD_BYTES = 1024 * 1024
"""Ours are short; a longer one is none."""
REMOVED = ".removed-"
"""Prefix of directories on their way out; no sandbox can have such a name."""


class _Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """What `sandbox.json` holds."""

    labels: dict[str, str]
    snapshot: str | None
    created_at: int


class _Exit(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What `exit.json` holds."""

    exit_code: int


class LocalProvider:
    """Agents on this host. `program` is run in each sandbox; `grace` is seconds before SIGKILL;
    `hidden` are paths beside `state` that no command of an agent may read."""

    name = "local"

    def __init__(
        self,
        state: Path,
        *,
        environ: Mapping[str, str],
        realm: str | None = None,
        hidden: tuple[Path, ...] = (),
        program: tuple[str, ...] = EXECUTION,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self._state = state
        self._environ = environ
        self._hidden = os.pathsep.join(map(str, (state, *hidden)))
        self._program = program
        self._grace = grace
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.realm = realm or _kept_realm(state / "realm")

    async def create(self, spec: SandboxSpec) -> SandboxStatus:
        """Starts the agent, once: a second call finds the first one's record and adopts it."""
        directory = self._directory(spec.key)
        try:
            _prepare(directory, spec)
        except OSError as error:
            raise _unavailable(f"cannot make the sandbox's directory: {error}") from error
        found = self._read(spec.key)
        if found is None or dict(found.labels) != dict(spec.labels):
            raise ProviderError("name_taken", "another sandbox has this name", retryable=False)
        if found.state == "creating":
            await self._start(directory, spec)
            found = self._read(spec.key) or found
        return found

    async def find(self, key: Key) -> SandboxStatus | None:
        """As the files and the process table say."""
        return self._read(key)

    async def list_sandboxes(self, instance: str) -> list[SandboxStatus]:
        """Every directory of the instance that holds a sandbox."""
        home = self._state / _safe(instance)
        names = sorted(path.name for path in home.iterdir()) if home.is_dir() else []
        keys = [Key(instance=instance, name=name) for name in names if SAFE_NAME.fullmatch(name)]
        return [found for key in keys if (found := self._read(key))]

    async def ended(self) -> frozenset[Key]:
        """By the supervisors' last words and locks; no process is looked at."""
        return await asyncio.to_thread(_ended, self._state)

    async def read_spool(self, key: Key, offset: int) -> SpoolPiece:
        """At most one report's worth."""
        return await asyncio.to_thread(read_piece, self._directory(key) / "state", offset)

    async def read_log(self, key: Key) -> str:
        """The end of its output file."""
        return await asyncio.to_thread(_tail, self._directory(key) / OUTPUT)

    async def stop(self, key: Key) -> None:
        """Ends the agent and all it started, grandchildren and strays included."""
        await self._end(self._directory(key))

    async def rescue(self, key: Key) -> AsyncGenerator[bytes, None]:
        """By a process of its own, which reads the state directory as a stranger's."""
        directory = self._directory(key)
        if not directory.is_dir():
            return
        environ = {**self._environment(), "PATH": self._environ.get("PATH", os.defpath)}
        runner = Program(sys.executable, environ=environ, folder=directory)
        arguments = ("-I", str(RUNNER), "--rescue", str(directory / "state"))
        async with contextlib.aclosing(runner.lines(*arguments)) as lines:
            async for line in lines:
                yield line

    async def remove(self, key: Key) -> None:
        """Deletes the directory after taking it out of the way of a supervisor that comes late,
        and what a launcher that died over this has left on its way out."""
        directory = self._directory(key)
        await self._end(directory)
        with contextlib.suppress(FileNotFoundError):
            directory.rename(_way_out(directory, uuid.uuid4().hex))
        for away in list(directory.parent.glob(_way_out(directory, "?" * 32).name)):
            await self._end(away)
            try:
                await asyncio.to_thread(_delete, away)
            except OSError as error:
                raise _unavailable(f"cannot delete the sandbox's directory: {error}") from error

    async def _start(self, directory: Path, spec: SandboxSpec) -> None:
        """Returns when the agent's process is on record. In a thread: who is cancelled meanwhile
        leaves no half-started process behind."""
        check_variables(spec.env)
        fixed = self._fixed(directory)
        variables = {name: value for name, value in spec.env.items() if name not in fixed}
        environment = {**self._environment(), **fixed}
        try:
            code = await asyncio.to_thread(
                _supervise, directory, self._program, environment, json.dumps(variables).encode()
            )
        except OSError as error:
            raise _unavailable(f"cannot start a process: {error.strerror}") from error
        if code:
            raise _unavailable("the agent's supervisor did not start")

    def _environment(self) -> dict[str, str]:
        """Nothing of the launcher's own but how text is written and whose certificates are trusted
        on this host; and nothing secret: /proc shows it to every process of our user."""
        trusted = Authorities.of_environ(self._environ).variables
        return {"LANG": self._environ.get("LANG", "C.UTF-8"), **trusted}

    def _fixed(self, directory: Path) -> dict[str, str]:
        """What no job decides."""
        return {
            "PATH": self._environ.get("PATH", os.defpath),
            "HOME": str(directory / "home"),
            "SLIPGATE_STATE_DIR": str(directory / "state"),
            "SLIPGATE_HIDDEN": self._hidden,
            "SLIPGATE_PYTHON": sys.executable,
        }

    async def _end(self, directory: Path) -> None:
        """Ends what is on record, until nobody holds the lock: nothing runs there any more."""
        deadline = time.monotonic() + self._grace
        while True:
            if supervisor := _load(directory / PROCESS, Supervisor):
                await self._end_recorded(supervisor)
            if _is_unlocked(directory):
                return
            if time.monotonic() > deadline and not supervisor:
                raise _unavailable("a supervisor starts and never says who it is")
            await asyncio.sleep(0.02)

    async def _end_recorded(self, supervisor: Supervisor) -> None:
        try:
            await end(supervisor, grace=self._grace)
        except StillRunning as error:
            raise _unavailable(f"cannot end the sandbox: {error} still run") from error

    def _read(self, key: Key) -> SandboxStatus | None:
        directory = self._directory(key)
        sandbox = _load(directory / SANDBOX, _Sandbox)
        if sandbox is None:
            return None
        state, process = _condition(directory)
        return SandboxStatus(
            id=key.name,
            key=key,
            snapshot=sandbox.snapshot,
            labels=sandbox.labels,
            state=state,
            process=process,
            created_at=sandbox.created_at,
        )

    def _directory(self, key: Key) -> Path:
        """Open to us, whatever an agent of our user did."""
        directory = self._state / _safe(key.instance) / _safe(key.name)
        for path in (self._state.parent, self._state, directory.parent, directory):
            restore_access(path)
        return directory


def _supervise(
    directory: Path, program: tuple[str, ...], environment: dict[str, str], variables: bytes
) -> int:
    """The exit code of a supervisor that has gone into the background."""
    with (directory / OUTPUT).open("ab") as output:
        started = subprocess.run(
            [sys.executable, "-I", "-S", str(SUPERVISOR), str(directory), *program],
            cwd=directory / "home",
            env=environment,
            input=variables,
            stdout=output,
            stderr=output,
            check=False,
        )
    return started.returncode


def _condition(directory: Path) -> tuple[ReportedState, Process]:
    """An agent that ended says so; one that vanished without a word (a reboot) is `stopped`."""
    supervisor = _load(directory / PROCESS, Supervisor)
    if supervisor is None:
        return "creating", Process(state="unknown")
    was_alive = bool(members(supervisor))
    # Read after the process table: a supervisor writes its last word before it goes.
    if ended := _load(directory / EXIT, _Exit):
        return "started", Process(state="exited", exit_code=ended.exit_code)
    if was_alive:
        return "started", Process(state="running")
    return "stopped", Process(state="exited")


def _ended(state: Path) -> frozenset[Key]:
    return frozenset(
        Key(instance=record.parents[1].name, name=record.parent.name)
        for record in state.glob(f"*/*/{PROCESS}")
        if not record.parent.name.startswith(REMOVED)
        and ((record.parent / EXIT).exists() or _is_unlocked(record.parent))
    )


def _prepare(directory: Path, spec: SandboxSpec) -> None:
    for name in ("home", "state"):
        (directory / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    if (directory / SANDBOX).exists():
        return
    sandbox = _Sandbox(
        labels=dict(spec.labels),
        snapshot=spec.snapshot,
        created_at=time.time_ns() // 1_000_000,
    )
    write_whole(directory / SANDBOX, msgspec.json.encode(sandbox).decode())


def _way_out(directory: Path, mark: str) -> Path:
    return directory.with_name(f"{REMOVED}{mark}-{directory.name}")


def _delete(directory: Path) -> None:
    """Another launcher may be about it, too: what goes away meanwhile is no error."""
    while directory.exists():
        with contextlib.suppress(FileNotFoundError):
            try:
                shutil.rmtree(directory)
            except PermissionError:
                _open_all(directory)
                shutil.rmtree(directory)


def _open_all(directory: Path) -> None:
    """An agent leaves directories that cannot be written to: Go's module cache is one."""
    directory.chmod(0o700)
    for root, names, _ in os.walk(directory):
        for name in names:
            if not (path := Path(root, name)).is_symlink():
                path.chmod(0o700)


def _kept_realm(path: Path) -> str:
    """Made once; of two launchers that start together both keep the first one's."""
    draft = path.with_name(f"realm.{os.getpid()}.draft")
    draft.write_text(uuid.uuid4().hex)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()


def _tail(path: Path) -> str:
    file = open_regular(path)
    if file is None:
        return ""
    with file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_TAIL))
        return file.read(LOG_TAIL).decode(errors="replace")


def _is_unlocked(directory: Path) -> bool:
    """Whether no supervisor lives there."""
    restore_access(directory / LOCK)
    try:
        lock = os.open(directory / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _load(path: Path, kind: type[Record]) -> Record | None:
    file = open_regular(path)
    if file is None and os.path.lexists(path):
        raise _unavailable(f"{path.name} of the sandbox cannot be read")
    if file is None:
        return None
    with file:
        content = file.read(RECORD_BYTES)
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise _unavailable(f"{path.name} of the sandbox is broken: {error}") from error


def _safe(name: str) -> str:
    """A name that stays inside our directory."""
    if not SAFE_NAME.fullmatch(name):
        raise ProviderError("invalid_name", "the sandbox's name is not ours", retryable=False)
    return name


def _unavailable(message: str) -> ProviderError:
    return ProviderError("provider_unavailable", message, retryable=True)
