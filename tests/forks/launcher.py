"""Launchers whose local agents run another program than execution.sh."""

import sys

from launcher.__main__ import main
from launcher.providers.local.provider import EXECUTION


def launch() -> int:
    """The launcher's exit code; its arguments are that program."""
    return main([], program=tuple(sys.argv[1:]) or EXECUTION)


def launch_with(program: str) -> int:
    """The exit code of one whose arguments are as ever."""
    return main(program=(program,))
