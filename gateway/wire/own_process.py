"""Hides our memory from other processes of the same user, as which agents of `local` run.

/proc/<pid>/environ shows the variables that a process was started with, whatever it does to them
later, and /proc/<pid>/mem all its memory. Where Landlock confines agents, this is a second barrier.
"""

import ctypes
import os
import sys
from pathlib import Path
from typing import Final

PR_SET_DUMPABLE: Final = 4
_ENVIRONMENT: Final = slice(47, 49)
"""env_start and env_end in /proc/self/stat behind the name (proc(5): fields 50 and 51)."""


def close_own_process() -> None:
    """Erases the environment from /proc and forbids reading our memory; `os.environ` stays."""
    if sys.platform != "linux":
        return
    for name, value in os.environ.items():
        os.putenv(name, value)  # a copy elsewhere, which children inherit
    fields = Path("/proc/self/stat").read_text(errors="replace").rpartition(")")[2].split()
    start, end = map(int, fields[_ENVIRONMENT])
    if 0 < start < end:
        ctypes.memset(start, 0, end - start)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
