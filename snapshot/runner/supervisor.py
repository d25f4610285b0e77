"""Stays beside the runner, so that its death is told: small, with nothing that can fail in it.

It is the process that the sandbox knows. The runner is its child; when that one is killed (out of
memory, a fault in a library) a second, short one keeps the agent's work and says the last word.
"""

import os
import signal
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Final

from . import reexec
from .agent.hardening import harden, sweep

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
TERMINATED: Final = 128 + signal.SIGTERM


def supervise(script: str, environ: Mapping[str, str], *, died: int) -> int:
    """Run the attempt, and what comes after a death of it; the exit code of the whole.

    `died` is the runner's exit code for an error that nobody caught.
    """
    harden()
    signals = _Signals()
    code = signals.wait(_start(script, reexec.ATTEMPT, environ))
    if code >= 0 and code != died:
        return code
    if signals.is_stopping and code == -signal.SIGTERM:
        return TERMINATED
    sweep()
    how = "ended with an error that nobody caught" if code == died else _killed_by(-code)
    print(f"slipgate: the runner {how}", file=sys.stderr, flush=True)
    code = signals.wait(_start(script, reexec.AFTER_DEATH, environ, how))
    return code if code >= 0 else died


class _Signals:
    """Hands on what the sandbox is told to the child that lives."""

    def __init__(self) -> None:
        self._child: int | None = None
        self.is_stopping = False
        for number in SIGNALS:
            signal.signal(number, self._hand_on)

    def wait(self, child: int) -> int:
        """The child's exit code, or minus the signal that ended it."""
        self._child = child
        if self.is_stopping:
            os.kill(child, signal.SIGTERM)
        while True:
            # Orphans of the agent's are our children too, once the runner is gone.
            ended, status = os.wait()
            if ended == child:
                self._child = None
                return os.waitstatus_to_exitcode(status)

    def _hand_on(self, number: int, _frame: FrameType | None) -> None:
        self.is_stopping = True
        if self._child is not None:
            os.kill(self._child, number)


def _start(script: str, mode: str, environ: Mapping[str, str], *more: str) -> int:
    """The process id of the child; the variables reach it through a file that only we two hold."""
    descriptor = reexec.file_of(environ)
    argv = reexec.arguments(script, mode, descriptor, *more)
    child = os.posix_spawn(sys.executable, argv, os.environ)
    os.close(descriptor)
    return child


def _killed_by(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return f"was killed by {name}" + (" (out of memory?)" if number == signal.SIGKILL else "")
