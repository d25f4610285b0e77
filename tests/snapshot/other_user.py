"""An attempt that runs as another user behind an init process, as in a container."""

import functools
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

NUMBER = 12_345
INIT = (
    "import os, sys\n"
    "child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)\n"
    "while True:\n"
    "    ended, status = os.wait()\n"
    "    if ended == child: os._exit(os.waitstatus_to_exitcode(status) & 255)\n"
)
"""As tini is: it keeps the variables it was started with, and adopts orphans."""
SOURCES = Path(__file__).resolve().parents[2] / "snapshot"


def behind_init(command: list[str]) -> list[str]:
    """The command as the child of an init that has its variables."""
    return [sys.executable, "-I", "-c", INIT, *command]


def as_other(command: list[str], workdir: Path) -> list[str]:
    """The command as the other user, if we may become one; `workdir` is for mounts of its own."""
    if not can_become():
        return command
    user = (f"--reuid={NUMBER}", f"--regid={NUMBER}", "--clear-groups")
    changed = shlex.join(["exec", "setpriv", *user, "--"])
    script = "\n".join(["set -e", *_opened(workdir), f'{changed} "$@"'])
    return ["unshare", "--mount", "sh", "-c", script, "sh", *command]


@functools.cache
def can_become() -> bool:
    """True if we are root, and may have mounts of our own."""
    tried = subprocess.run(["unshare", "--mount", "true"], check=False) if not os.getuid() else None
    return tried is not None and tried.returncode == 0


def give(*roots: Path, to: int) -> None:
    """Change the owner of all in there; only root can."""
    if can_become():
        subprocess.run(["chown", "-hR", f"{to}:{to}", *map(str, roots)], check=True)


def _opened(workdir: Path) -> Iterator[str]:
    """Makes what we run on readable: our interpreter may lie in a home that is closed."""
    needed = {Path(each).resolve() for each in (sys.base_prefix, sys.prefix, SOURCES)}
    for closed in {top for path in needed for top in _closed_above(path)}:
        inside = [path for path in needed if path.is_relative_to(closed)]
        for number, path in enumerate(inside):
            stash = shlex.quote(str(workdir / f"mount-{number}"))
            yield f"mkdir -p {stash}; mount --rbind {shlex.quote(str(path))} {stash}"
        yield f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(closed))}"
        for number, path in enumerate(inside):
            target, stash = shlex.quote(str(path)), shlex.quote(str(workdir / f"mount-{number}"))
            yield f"mkdir -p {target}; mount --rbind {stash} {target}"


def _closed_above(path: Path) -> Iterator[Path]:
    """The outermost folder above it that others may not enter."""
    for parent in reversed(path.parents):
        if not parent.stat().st_mode & 0o001:
            yield parent
            return
