"""A Python environment in a command's home, so that `pip install` works and lands there.

The image's Python may belong to root or to the system's package manager, and a developer's may be
slipgate's own. Packages that are installed there can be imported.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .command import Runner

SECONDS: Final = 60.0
NAME: Final = "VIRTUAL_ENV"
_PIP: Final = '#!/bin/sh\nexec "$(dirname -- "$0")/python" -m pip "$@"\n'
"""Calls the base Python's pip; to install one into the environment would take seconds."""


def enter(runner: Runner, environ: Mapping[str, str], directory: Path) -> dict[str, str]:
    """The environ with an environment in `HOME`; unchanged where there is no Python 3."""
    home = Path(environ["HOME"])
    target = home / ".venv"
    options = ("--system-site-packages", "--without-pip")
    made = runner.run(
        ["python3", "-m", "venv", *options, str(target)],
        directory=directory,
        environ=environ,
        seconds=SECONDS,
    )
    if made.exit_code:
        return dict(environ)
    for name in ("pip", "pip3"):
        script = target / "bin" / name
        script.write_text(_PIP)
        script.chmod(0o755)
    path = f"{target / 'bin'}:{home / '.local' / 'bin'}:{environ['PATH']}"
    return {**environ, "PATH": path, NAME: str(target)}
