"""The starts of the program: anew in a clean environment, as the supervisor, as its runner.

Or as a rescue, which has nothing to do with them.
"""

import gc
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from . import reexec

RESCUE: Final = "--rescue"
"""`agent-runner.py --rescue STATE_DIR`: print what an agent left there."""
DIED: Final = 70
"""The runner's exit code for an error that nobody caught (EX_SOFTWARE of sysexits.h)."""


def start(script: Path, *, landlock: int | None = None) -> NoReturn:
    """Run one attempt and end as it says; `script` is what is started anew. `landlock` is the
    version that commands are confined with; None: the kernel's."""
    if len(sys.argv) > 2 and sys.argv[1] == RESCUE:
        from . import rescue  # noqa: PLC0415 - the runner itself does not need it

        rescue.run(Path(sys.argv[2]), os.environ)
    given = reexec.received(sys.argv)
    if given is None:
        from .agent.child_env import ChildEnv  # noqa: PLC0415 - of this start alone

        whole = reexec.collected(os.environ)
        clean = ChildEnv.from_environ(whole).base()
        reexec.start_anew(str(script), whole, clean)
    mode, environ = given
    if mode == reexec.SUPERVISE:
        _supervise(script, environ)
    death = sys.argv[3] if mode == reexec.AFTER_DEATH else None
    os._exit(_run(environ, landlock, death))


def _supervise(script: Path, environ: Mapping[str, str]) -> NoReturn:
    from . import supervisor  # noqa: PLC0415 - the other starts do without it

    code = supervisor.supervise(str(script), environ, died=DIED)
    from . import exit_code  # noqa: PLC0415 - what is heavy waits until there is nothing to wait for

    exit_code.leave(code, keep_alive=environ.get("KEEP_ALIVE", ""))


def _run(environ: Mapping[str, str], landlock: int | None, death: str | None) -> int:
    from .agent.hardening import die_with_parent  # noqa: PLC0415 - like all that follows

    die_with_parent()
    gc.set_threshold(10_000, 50, 50)  # imports only make: to look at them all is a tenth of them
    try:
        from .main import main  # noqa: PLC0415 - what is heavy waits for this start

        return main(environ, landlock=landlock, death=death)
    except BaseException:  # noqa: BLE001 - whatever it is, the supervisor tells of it
        import traceback  # noqa: PLC0415 - no start needs it that goes well

        traceback.print_exc()
        return DIED
