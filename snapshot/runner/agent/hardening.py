"""What the runner asks of the kernel against the commands it runs under its own user."""

import signal

from .reaper import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, kill_all, prctl

PR_SET_DUMPABLE = 4


def harden() -> None:
    """Close our memory to our own children, and become the parent of their orphans.

    Not being dumpable makes /proc/<pid>/mem, environ and fd root's and refuses ptrace by the same
    user. It is best effort: a child that is root, or a kernel without it, is not held.
    """
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """End when the supervisor does: then the sandbox itself is being ended."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def sweep() -> None:
    """Kill whatever still runs below us.

    A command can kill its reaper, whose family then becomes ours. Only called while no child of
    ours is meant to live.
    """
    kill_all()
