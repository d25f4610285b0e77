"""The starts of the program: with a clean environment, as supervisor, as runner, as rescue."""

import gc
import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

from . import output, reexec
from .exit_code import ExitCode, leave

RESCUE: Final = "--rescue"
"""`agent-runner.py --rescue STATE_DIR` prints the work that an agent left there."""

# Each start imports late, and only its own part: the imports are most of the time it takes.


def start(script: Path, *, landlock: int | None = None) -> NoReturn:
    """Run one attempt and exit; `script` is executed anew, `landlock` limits the version used."""
    if len(sys.argv) > 2 and sys.argv[1] == RESCUE:
        from . import rescue  # noqa: PLC0415

        rescue.run(Path(sys.argv[2]), os.environ)
    given = reexec.received(sys.argv)
    if given is None:
        from .agent.child_env import ChildEnv  # noqa: PLC0415

        whole = reexec.collected(os.environ)
        reexec.execute_again(str(script), whole, ChildEnv.from_environ(whole).base())
    mode, environ = given
    if mode == reexec.SUPERVISE:
        from .supervisor import spawn, supervise  # noqa: PLC0415

        code = supervise(partial(spawn, str(script)), environ)
        leave(code, keep_alive=environ.get("KEEP_ALIVE", ""))
    death = sys.argv[4] if mode == reexec.AFTER_DEATH else None
    os._exit(run(int(sys.argv[3]), environ, landlock=landlock, death=death))


def run(
    supervisor: int,
    environ: Mapping[str, str],
    *,
    landlock: int | None = None,
    death: str | None = None,
) -> int:
    """The exit code of the runner, which ends with its supervisor."""
    from .agent.reaper import die_with_parent  # noqa: PLC0415

    die_with_parent(supervisor)
    output.tolerate()
    gc.set_threshold(10_000, 50, 50)  # imports only allocate: collecting is a tenth of their time
    try:
        from .main import main  # noqa: PLC0415

        return main(environ, landlock=landlock, death=death)
    except BaseException:  # noqa: BLE001 - the supervisor reports it
        import traceback  # noqa: PLC0415

        traceback.print_exc()
        return ExitCode.CRASHED
