"""How the process ends: its exit code, and whether the sandbox is kept awake after it."""

import os
import signal
from enum import IntEnum
from typing import NoReturn

from .reporting.events import Failed, FinalEvent
from .stop import Reason


class ExitCode(IntEnum):
    """What the launcher and people read from the process."""

    DONE = 0
    FAILED = 1
    CONFIGURATION = 2
    FENCED = 3
    """The gateway said that this attempt is over; nothing was pushed after that."""
    CANCELLED = 4
    ALREADY_RUNNING = 5
    TERMINATED = 143


STOPPED = {
    Reason.CANCELLED: ExitCode.CANCELLED,
    Reason.FENCED: ExitCode.FENCED,
    Reason.TIME_OVER: ExitCode.FAILED,
    Reason.TERMINATED: ExitCode.TERMINATED,
}


def exit_code(word: FinalEvent) -> ExitCode:
    """A result is a success of the process, even if a person must look at it."""
    return ExitCode.FAILED if isinstance(word, Failed) else ExitCode.DONE


def leave(code: int, *, keep_alive: str) -> NoReturn:
    """End the process, or become one that sleeps for ever with nothing of ours in it.

    The exit of its entrypoint does not stop a Daytona sandbox; elsewhere KEEP_ALIVE keeps it open.
    """
    if keep_alive.lower() in {"true", "1"} and code != ExitCode.TERMINATED:
        print(f"slipgate: ended with {code}, staying awake (KEEP_ALIVE)", flush=True)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.execvp("sleep", ["sleep", "infinity"])  # noqa: S606 - a fixed argument list
    os._exit(code)
