"""Whether the kernel confines the commands of agents (Landlock), as the scripts themselves ask."""

import sys
from typing import Final

from launcher.doctor.check import Check, ok, warning
from launcher.providers.docker.cli import DockerCli
from launcher.providers.program import CommandResult, NotStarted, Program
from launcher.snapshots.scripts import FOLDER

NAME: Final = "confinement"
SECONDS: Final = 60.0
_SCRIPT: Final = "runner/agent/landlock.py"
_OPTIONS: Final = (
    *("--rm", "--network=none", "--pull=never", "--cap-drop=ALL"),
    *("--security-opt=no-new-privileges", "--entrypoint=python3"),
)
_ADVICE: Final = (
    "A kernel of Linux 6.12 or newer with `landlock` among its security modules "
    "(/sys/kernel/security/lsm) confines them; until then give agents keys of narrow scope."
)
_ADVICE_ON_SOCKETS: Final = (
    "Landlock does not govern sockets in the file system: run the launcher as a user who may not "
    "use them, above all not docker's, or use another provider."
)


async def check_host_confinement() -> Check:
    """Where `local` runs agents."""
    program = Program(sys.executable, environ={}, folder=FOLDER)
    try:
        return _check(await program.run("-I", str(FOLDER / _SCRIPT), seconds=SECONDS), "this host")
    except NotStarted as error:
        return warning(NAME, f"cannot be looked at: {error}", _ADVICE)


async def check_container_confinement(cli: DockerCli, image: str) -> Check:
    """In a container like an agent's: docker's own rules (seccomp) may stand in the way."""
    result = await cli.try_run("run", *_OPTIONS, image, "-I", f"/app/{_SCRIPT}", seconds=SECONDS)
    return _check(result, f"containers of {image}")


def _check(result: CommandResult, where: str) -> Check:
    if result.code != 0:
        return warning(NAME, f"{where} does not say what its kernel can", _ADVICE)
    kernel, _, sockets = result.out.partition("\n")
    if kernel:
        return warning(NAME, kernel, _ADVICE)
    if sockets.strip():
        return warning(NAME, sockets.strip(), _ADVICE_ON_SOCKETS)
    return ok(NAME, f"the commands of agents are confined ({where})")
