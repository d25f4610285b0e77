"""A Python environment in a command's own home, so that `pip install` works and lands there.

The image's Python may belong to root, or to the system's package manager; on a developer's machine
the first one on the PATH was slipgate's own. What is installed there already can be imported.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .command import Runner

SECONDS: Final = 60.0
_NAMES: Final = ("pip", "pip3")
_PIP: Final = '#!/bin/sh\nexec "$(dirname -- "$0")/python" -m pip "$@"\n'
"""Of the Python in the same folder; to bring a pip of its own would take seconds."""


def enter(runner: Runner, environ: Mapping[str, str], directory: Path) -> dict[str, str]:
    """The environment with one in `HOME`; as it was where there is no Python 3.

    Raises:
        Stopped: the attempt was stopped.
    """
    home = Path(environ["HOME"])
    place = home / ".venv"
    options = ("--system-site-packages", "--without-pip")
    made = runner.run(
        ["python3", "-m", "venv", *options, str(place)],
        directory=directory,
        environ=environ,
        seconds=SECONDS,
    )
    if made.exit_code:
        return dict(environ)
    for name in _NAMES:
        script = place / "bin" / name
        script.write_text(_PIP)
        script.chmod(0o755)
    path = f"{place / 'bin'}:{home / '.local' / 'bin'}:{environ['PATH']}"
    return {**environ, "PATH": path, "VIRTUAL_ENV": str(place)}
