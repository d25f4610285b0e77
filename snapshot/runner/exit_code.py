"""The end of the process: its exit code, and the sleep of a sandbox that is kept alive."""

import os
import signal
from enum import IntEnum
from typing import NoReturn


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    CONFIGURATION = 2
    FENCED = 3
    """The gateway said that this attempt is over; nothing was pushed after that."""
    CANCELLED = 4
    ALREADY_RUNNING = 5
    CRASHED = 70
    """The runner ended with an error that nothing caught (EX_SOFTWARE of sysexits.h)."""
    TERMINATED = 143


def leave(code: int, *, keep_alive: str) -> NoReturn:
    """End the process, or become one that sleeps for ever and holds nothing of ours.

    The exit of its entrypoint does not stop a Daytona sandbox; elsewhere KEEP_ALIVE keeps it open.
    """
    if keep_alive.lower() in {"true", "1"} and code != ExitCode.TERMINATED:
        print(f"slipgate: ended with {code}, staying awake (KEEP_ALIVE)", flush=True)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.execvp("sleep", ["sleep", "infinity"])  # noqa: S606 - a fixed argument list
    os._exit(code)
