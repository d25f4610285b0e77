"""The program entry `--rescue STATE_DIR`: prints the work that an agent left there.

A launcher calls it before it removes a sandbox whose agent can no longer report. The directory is
not trusted; the environment holds no key, and nothing is sent.
"""

import os
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from . import files
from .agent.child_env import ChildEnv
from .agent.reaper import harden
from .failure import Failure
from .reporting.kept_patch import KeptPatch
from .repository import work_on_disk
from .repository.git import Git
from .state_directory import RESERVE
from .stop import Stop, Stopped

SECONDS: Final = 25.0
"""A launcher waits no longer than 30 s."""
REVISION: Final = 1_000
"""After every revision of the runner itself."""


def run(state: Path, environ: Mapping[str, str]) -> NoReturn:
    """Print the pieces of the patch, one a line, and end with 0, also if there is none."""
    harden()
    # A call that hangs in the kernel (a pipe, a lost file system) is not interrupted by a signal.
    ends = threading.Timer(SECONDS + 3.0, os._exit, (0,))
    ends.daemon = True
    ends.start()
    kept = found(state, environ)
    for piece in kept.pieces() if kept else ():
        line = {"partial": False, **msgspec.to_builtins(piece)}
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()
    os._exit(0)


def found(state: Path, environ: Mapping[str, str]) -> KeptPatch | None:
    """The patch of the work in a state directory."""
    if not files.is_directory(state):
        return None
    stop = Stop()
    timer = stop.request_after(SECONDS, "the time is over")
    git = Git(stop=stop, environ=ChildEnv.from_environ(environ).base())
    try:
        work = work_on_disk.found(state)
        if work is None:
            return None
        with suppress(OSError):  # another user's directory
            (state / RESERVE).unlink()
        with tempfile.TemporaryDirectory(prefix="slipgate-rescue-") as workdir:
            patch = work.patch(git, Path(workdir), is_secret=lambda _: False)
    except (Failure, Stopped, OSError) as exc:
        print(f"slipgate: nothing can be rescued: {exc}", file=sys.stderr, flush=True)
        return None
    finally:
        timer.cancel()
    if not patch.text:
        return None
    return KeptPatch(
        text=patch.text,
        base_sha=work.base_sha,
        warnings=patch.warnings,
        revision=REVISION,
        is_partial=not work.is_finished,
    )
