"""Stays beside the runner, so that its death is reported: small, so that nothing in it can fail.

It is the process that the sandbox knows. When its child, the runner, is killed (out of memory, a
fault in a library), a second, short runner saves the agent's work and emits the final event.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Final

from . import output, reexec
from .agent.reaper import harden, kill_all
from .exit_code import ExitCode

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
Start = Callable[..., int]
"""Starts a child with a mode, the variables and further words; returns its number."""


def supervise(start: Start, environ: Mapping[str, str]) -> int:
    """Run the attempt, and the reporter of its death; returns the exit code of both."""
    harden()
    output.tolerate()
    signals = _SignalForwarder()
    code = signals.wait(start(reexec.ATTEMPT, environ))
    if code >= 0 and code != ExitCode.CRASHED:
        return code
    if signals.is_stopping and code == -signal.SIGTERM:
        return ExitCode.TERMINATED
    kill_all()
    crashed = code == ExitCode.CRASHED
    how = "ended with an error that nobody caught" if crashed else _killed_by(-code)
    print(f"slipgate: the runner {how}", file=sys.stderr, flush=True)
    code = signals.wait(start(reexec.AFTER_DEATH, environ, how))
    return code if code >= 0 else ExitCode.CRASHED


class _SignalForwarder:
    """Sends the sandbox's signals on to the living child."""

    def __init__(self) -> None:
        self._child: int | None = None
        self.is_stopping = False
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` wants it
                signal.signal(number, self._forward)

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

    def _forward(self, _number: int, _frame: FrameType | None) -> None:
        self.is_stopping = True
        if self._child is not None:
            os.kill(self._child, signal.SIGTERM)


def spawn(script: str, mode: str, environ: Mapping[str, str], *more: str) -> int:
    """Start the program anew in this mode."""
    descriptor = reexec.file_of(environ)
    argv = reexec.arguments(script, mode, descriptor, str(os.getpid()), *more)
    child = os.posix_spawn(sys.executable, argv, os.environ)
    os.close(descriptor)
    return child


def _killed_by(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return f"was killed by {name}" + (" (out of memory?)" if number == signal.SIGKILL else "")
