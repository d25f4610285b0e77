"""Docker on this host: whether its daemon answers, and holds an image of the scripts of here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from launcher.doctor.check import Check, failed, ok, warning
from launcher.doctor.confinement import check_container_confinement
from launcher.providers.docker.cli import DockerCli, open_docker_cli
from launcher.providers.protocol import ProviderError
from launcher.settings import DockerSettings

POLL_SECONDS: Final = 60.0
_BUILD: Final = "`docker build -t {} snapshot/` makes it"


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
        daemon = ok("docker", f"daemon {await cli.identity()}")
        images = [docker.images.get(name, name) for name in snapshots]
        held = [await _image(cli, image, digest) for image in images]
        there = (image for image, check in zip(images, held, strict=True) if check.outcome == "ok")
        confined = [await check_container_confinement(cli, image) for image in there]
        return [daemon, *held, *confined[:1]]
    except ProviderError as error:
        advice = "Look at DOCKER_HOST and `docker ps`, as the launcher's user."
        return [failed("docker", error.message, advice)]


async def _image(cli: DockerCli, image: str, digest: str) -> Check:
    """Asked of a container that has no network and goes at once."""
    look = ("run", "--rm", "--network=none", "--pull=never", "--entrypoint=python3")
    there = await cli.try_run("image", "inspect", "--format={{.Id}}", image)
    if there.code != 0:
        return failed("image", f"there is no {image}", f"{_BUILD.format(image)}.")
    result = await cli.try_run(*look, image, "-I", "/app/runner/digest.py", seconds=POLL_SECONDS)
    if result.code != 0:
        advice = "An agent of your own may be meant."
        return warning("image", f"{image} does not say which scripts it holds", advice)
    if result.out.strip() != digest:
        advice = f"{_BUILD.format(image)} anew."
        return failed("image", f"{image} holds other scripts than there are here", advice)
    return ok("image", f"{image} holds the scripts of here ({digest[:12]})")
