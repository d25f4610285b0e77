"""Closes our process to the others of its user: agents of `local` run as the same one.

/proc/<pid>/environ shows the memory a process was started with, whatever it does to its variables
later, and /proc/<pid>/mem all of it. Where Landlock confines the agents this is a second wall.
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
    """Our variables stay ours (`os.environ`, and what children inherit), and nobody else's."""
    if sys.platform != "linux":
        return
    for name, value in os.environ.items():
        os.putenv(name, value)  # a copy elsewhere, which the C library hands on from now
    fields = Path("/proc/self/stat").read_text(errors="replace").rpartition(")")[2].split()
    start, end = map(int, fields[_ENVIRONMENT])
    if 0 < start < end:
        ctypes.memset(start, 0, end - start)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
