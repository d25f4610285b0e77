"""Checks docker, its images, and if the kernel confines the commands of agents (Landlock)."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from launcher.doctor.report import Check, failed, ok, warning
from launcher.providers.docker.cli import DockerCli, open_docker_cli
from launcher.providers.program import CommandResult, NotStarted, Program
from launcher.providers.protocol import ProviderError
from launcher.settings import DockerSettings
from launcher.snapshots.scripts import FOLDER

SECONDS: Final = 60.0
_BUILD: Final = "`slipgate snapshot image {}` makes it"
_LANDLOCK: Final = "runner/agent/landlock.py"
_AS_AN_AGENT: Final = ("--cap-drop=ALL", "--security-opt=no-new-privileges")
"""Options of an agent's container: docker's own rules (seccomp) may prevent Landlock."""
_ADVICE: Final = (
    "A kernel of Linux 6.12 or newer with `landlock` among its security modules "
    "(/sys/kernel/security/lsm) confines them; until then give agents keys of narrow scope."
)
_ADVICE_ON_SOCKETS: Final = (
    "Landlock does not govern sockets in the file system: run the launcher as a user who may not "
    "use them, above all not docker's, or use another provider."
)


async def check_docker(
    docker: DockerSettings,
    snapshots: Sequence[str],
    environ: Mapping[str, str],
    folder: Path,
    *,
    digest: str,
) -> list[Check]:
    """`folder`: for the private files of the CLI."""
    cli = open_docker_cli(folder, environ=environ)
    try:
        checks = [ok("docker", f"daemon {await cli.identity()}")]
        images = [docker.images.get(name, name) for name in snapshots]
        checks += [await check_image(cli, image, digest) for image in images]
        usable = [i for i, check in zip(images, checks[1:], strict=True) if check.outcome == "ok"]
        for image in usable[:1]:
            ran = await _run_python(cli, image, f"/app/{_LANDLOCK}", *_AS_AN_AGENT)
            checks.append(_confinement(ran, f"containers of {image}"))
    except ProviderError as error:
        advice = "Look at DOCKER_HOST and `docker ps`, as the launcher's user."
        return [failed("docker", error.message, advice)]
    return checks


async def check_host_confinement() -> Check:
    """The kernel of this host, on which `local` runs agents."""
    program = Program(sys.executable, environ={}, folder=FOLDER)
    try:
        ran = await program.run("-I", str(FOLDER / _LANDLOCK), seconds=SECONDS)
    except NotStarted as error:
        return warning("confinement", f"cannot be checked: {error}", _ADVICE)
    return _confinement(ran, "this host")


async def check_image(cli: DockerCli, image: str, digest: str) -> Check:
    exists = await cli.try_run("image", "inspect", "--format={{.Id}}", image)
    if exists.code != 0:
        return failed("image", f"there is no {image}", f"{_BUILD.format(image)}.")
    ran = await _run_python(cli, image, "/app/runner/digest.py")
    if ran.code != 0:
        advice = "An agent of your own may be meant."
        return warning("image", f"{image} does not say which scripts it holds", advice)
    if ran.out.strip() != digest:
        advice = f"{_BUILD.format(image)} anew."
        return failed("image", f"{image} holds other scripts than there are here", advice)
    return ok("image", f"{image} holds the scripts of here ({digest[:12]})")


async def _run_python(cli: DockerCli, image: str, script: str, *options: str) -> CommandResult:
    """Runs a script of the image in a container without network, which is removed at once."""
    options = ("--rm", "--network=none", "--pull=never", "--entrypoint=python3", *options)
    return await cli.try_run("run", *options, image, "-I", script, seconds=SECONDS)


def _confinement(ran: CommandResult, where: str) -> Check:
    name = "confinement"
    if ran.code != 0:
        return warning(name, f"{where} does not say what its kernel can", _ADVICE)
    kernel, _, sockets = ran.out.partition("\n")
    if kernel:
        return warning(name, kernel, _ADVICE)
    if sockets.strip():
        return warning(name, sockets.strip(), _ADVICE_ON_SOCKETS)
    return ok(name, f"the commands of agents are confined ({where})")
