"""The starts of the program: anew in a clean environment, then for good; or a rescue."""

import os
import sys
from pathlib import Path
from typing import Final, NoReturn

from . import hand_over
from .surroundings import Surroundings

RESCUE: Final = "--rescue"
"""`agent-runner.py --rescue STATE_DIR`: print what an agent left there."""


def start(script: Path, *, landlock: int | None = None) -> NoReturn:
    """Run one attempt and end as it says; `script` is what is started anew. `landlock` is the
    version that commands are confined with; None: the kernel's."""
    if len(sys.argv) > 1 and sys.argv[1] == RESCUE:
        from . import rescue  # noqa: PLC0415 - the runner itself does not need it

        rescue.run(Path(sys.argv[2]), os.environ)
    environ = hand_over.received(sys.argv)
    if environ is None:
        clean = Surroundings.of_environ(os.environ).base()
        hand_over.start_anew(str(script), os.environ, clean)
    from . import ending  # noqa: PLC0415 - what is heavy waits for the second start
    from .main import main  # noqa: PLC0415

    ending.leave(main(environ, landlock=landlock), keep_alive=environ.get("KEEP_ALIVE", ""))
