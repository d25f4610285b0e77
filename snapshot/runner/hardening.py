"""What the runner asks of the kernel against the commands it runs under its own user."""

import os

from .keeper import PR_SET_CHILD_SUBREAPER, kill_all, prctl

PR_SET_DUMPABLE = 4


def harden() -> None:
    """Close our memory to our own children, and become the parent of their orphans.

    Not being dumpable makes /proc/<pid>/mem, environ and fd root's and refuses ptrace by the same
    user. It is best effort: a child that is root, or a kernel without it, is not held.
    """
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def sweep() -> None:
    """Kill whatever still runs below us.

    A command can kill its keeper, whose family then becomes ours. Only called while no child of
    ours is meant to live.
    """
    kill_all(os.getpid())
