"""The directory of a local sandbox, whose files its agent, of the same user, may have altered.

<state>/<instance>/<name>/sandbox.json labels, snapshot, time of creation: the sandbox exists
                          lock         held while its supervisor lives
                          process.json the supervisor's process: it was started, once and for all
                          exit.json    exit code of the agent
                          output.log   output of the agent
                          home/        HOME and working directory of the agent
                          state/       SLIPGATE_STATE_DIR with the spool

No kernel keeps a user from changing the mode of its own files; and where Landlock is missing, an
agent may have replaced one by a link, a pipe or a directory.
"""

import contextlib
import errno
import fcntl
import os
import re
import shutil
import stat
import subprocess
import time
import uuid
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import msgspec

from gateway.wire.launcher import SPOOL_BYTES_PER_CALL, Process, ReportedState
from launcher.providers.local.processes import Supervisor, members
from launcher.providers.local.supervisor import EXIT, LOCK, PROCESS, write_whole
from launcher.providers.protocol import (
    LOG_TAIL,
    Key,
    ProviderError,
    SandboxSpec,
    SandboxStatus,
    SpoolPiece,
    unavailable,
)
from launcher.providers.spool import ACKNOWLEDGED, SPOOL, read_lines, resume_offset

Record = TypeVar("Record")

SANDBOX: Final = "sandbox.json"
OUTPUT: Final = "output.log"
NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_NO_LOCK: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO})
"""Nothing, a link, a folder or a socket stands in its place."""
RECORD_BYTES: Final = 1024 * 1024
"""A longer record was not written by us."""
REMOVED: Final = ".removed-"
"""Prefix of directories that are being deleted; no sandbox can have such a name."""


class _Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    labels: dict[str, str]
    snapshot: str | None
    created_at: int


class _Exit(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    exit_code: int


def locate(state: Path, key: Key) -> Path:
    """The directory, accessible again whatever its agent did."""
    directory = state / check_name(key.instance) / check_name(key.name)
    for path in (state.parent, state, directory.parent, directory):
        _restore_access(path)
    return directory


def check_name(name: str) -> str:
    """Raises `ProviderError` for a name that would leave the state directory."""
    if not NAME.fullmatch(name):
        raise ProviderError("invalid_name", "the sandbox's name is not ours")
    return name


def prepare(directory: Path, spec: SandboxSpec) -> None:
    """Creates the directory, unless an earlier call did."""
    try:
        for name in ("home", "state"):
            (directory / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        if (directory / SANDBOX).exists():
            return
        sandbox = _Sandbox(
            labels=dict(spec.labels), snapshot=spec.snapshot, created_at=time.time_ns() // 1_000_000
        )
        write_whole(directory / SANDBOX, msgspec.json.encode(sandbox).decode())
    except OSError as error:
        raise unavailable(f"cannot make the sandbox's directory: {error}") from error


def read_status(directory: Path, key: Key) -> SandboxStatus | None:
    sandbox = load_record(directory / SANDBOX, _Sandbox)
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


def _condition(directory: Path) -> tuple[ReportedState, Process]:
    """An agent that vanished without an exit record (a reboot) is `stopped`."""
    supervisor = load_record(directory / PROCESS, Supervisor)
    if supervisor is None:
        return "creating", Process(state="unknown")
    was_alive = supervisor.is_alive() or bool(members(supervisor))
    # Read after the process table: a supervisor writes the exit code before it ends.
    if ended := load_record(directory / EXIT, _Exit):
        return "started", Process(state="exited", exit_code=ended.exit_code)
    if was_alive:
        return "started", Process(state="running")
    return "stopped", Process(state="exited")


def ended(state: Path) -> frozenset[Key]:
    """Sandboxes whose agent has ended, by their records and locks alone."""
    return frozenset(
        Key(instance=record.parents[1].name, name=record.parent.name)
        for record in state.glob(f"*/*/{PROCESS}")
        if not record.parent.name.startswith(REMOVED)
        and ((record.parent / EXIT).exists() or is_unlocked(record.parent))
    )


def is_unlocked(directory: Path) -> bool:
    """True if no supervisor lives, or its agent has put something else in the place of the lock."""
    _restore_access(directory / LOCK)
    try:
        lock = os.open(directory / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NO_LOCK:
            return True
        raise unavailable(f"the sandbox's lock cannot be read: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def read_piece(directory: Path, offset: int, *, limit: int = SPOOL_BYTES_PER_CALL) -> SpoolPiece:
    """The next lines of the spool in a state directory, after `offset` or the acknowledged part."""
    _restore_access(directory)
    text = _read(directory / ACKNOWLEDGED, 20).strip()
    acknowledged = int(text) if text.isdigit() else 0
    spool = _open_regular(directory / SPOOL)
    if spool is None:
        return SpoolPiece(offset=offset)
    with spool:
        start = resume_offset(offset, acknowledged, size=os.fstat(spool.fileno()).st_size)
        return read_lines(spool, start, limit)


def read_tail(directory: Path) -> str:
    file = _open_regular(directory / OUTPUT)
    if file is None:
        return ""
    with file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_TAIL))
        return file.read(LOG_TAIL).decode(errors="replace")


def load_record(path: Path, kind: type[Record]) -> Record | None:
    try:
        file = _open(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unavailable(f"{path.name} of the sandbox cannot be read") from error
    with file:
        content = file.read(RECORD_BYTES)
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise unavailable(f"{path.name} of the sandbox is broken: {error}") from error


def set_aside(directory: Path) -> list[Path]:
    """Renames the directory out of the way of a late supervisor; returns it, and those that a
    launcher that died meanwhile has left."""
    with contextlib.suppress(FileNotFoundError):
        directory.rename(_removed(directory, uuid.uuid4().hex))
    return list(directory.parent.glob(_removed(directory, "?" * 32).name))


def _removed(directory: Path, mark: str) -> Path:
    return directory.with_name(f"{REMOVED}{mark}-{directory.name}")


def delete(directory: Path) -> None:
    """Deletes it; another launcher may do so at the same time."""
    try:
        while directory.exists():
            with contextlib.suppress(FileNotFoundError):
                _remove(directory)
    except (OSError, subprocess.CalledProcessError) as error:
        raise unavailable(f"cannot delete the sandbox's directory: {error}") from error


def _remove(directory: Path) -> None:
    try:
        try:
            shutil.rmtree(directory)
        except PermissionError:
            _make_writable(directory)
            shutil.rmtree(directory)
    except RecursionError:  # a thousand folders, one in the other
        for words in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
            subprocess.run([*words, "--", str(directory)], check=True)


def _make_writable(directory: Path) -> None:
    """Agents leave read-only directories: Go's module cache is one."""
    directory.chmod(0o700)
    for root, names, _ in os.walk(directory):
        for name in names:
            if not (path := Path(root, name)).is_symlink():
                path.chmod(0o700)


def _restore_access(path: Path) -> None:
    """Makes a directory or file of ours accessible again; follows no link."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        mode = 0o700 if stat.S_ISDIR(found.st_mode) else 0o600
        is_ours = found.st_uid == os.getuid() and not stat.S_ISLNK(found.st_mode)
        if is_ours and found.st_mode & mode != mode:
            path.chmod(mode)


def _read(path: Path, limit: int) -> bytes:
    file = _open_regular(path)
    if file is None:
        return b""
    with file:
        return file.read(limit)


def _open_regular(path: Path) -> BinaryIO | None:
    """None for anything but a regular file that can be read."""
    with contextlib.suppress(OSError):
        return _open(path)
    return None


def _open(path: Path) -> BinaryIO:
    """A regular file: a link may lead to any secret, and reading a pipe would hang. Raises
    `OSError`."""
    _restore_access(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")
