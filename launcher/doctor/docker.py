"""Docker on this host: whether its daemon answers, and holds an image of the scripts of here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from launcher.config import DockerConfig
from launcher.doctor.check import Check, failed, warning, well
from launcher.doctor.confinement import look_at_containers
from launcher.providers.docker.cli import Engine, open_engine
from launcher.providers.protocol import ProviderError

LOOK_SECONDS: Final = 60.0
_BUILD: Final = "`docker build -t {} snapshot/` makes it"


async def look_at_docker(
    docker: DockerConfig,
    snapshots: Sequence[str],
    environ: Mapping[str, str],
    folder: Path,
    *,
    digest: str,
) -> list[Check]:
    """`folder`: for the private files of the CLI."""
    engine = open_engine(folder, environ=environ)
    try:
        daemon = well("docker", f"daemon {await engine.identity()}")
        images = [docker.images.get(name, name) for name in snapshots]
        held = [await _image(engine, image, digest) for image in images]
        there = (image for image, check in zip(images, held, strict=True) if check.outcome == "ok")
        confined = [await look_at_containers(engine, image) for image in there]
        return [daemon, *held, *confined[:1]]
    except ProviderError as error:
        advice = "Look at DOCKER_HOST and `docker ps`, as the launcher's user."
        return [failed("docker", error.message, advice)]


async def _image(engine: Engine, image: str, digest: str) -> Check:
    """Asked of a container that has no network and goes at once."""
    look = ("run", "--rm", "--network=none", "--pull=never", "--entrypoint=python3")
    there = await engine.ran("image", "inspect", "--format={{.Id}}", image)
    if there.code != 0:
        return failed("image", f"there is no {image}", f"{_BUILD.format(image)}.")
    ran = await engine.ran(*look, image, "-I", "/app/runner/digest.py", seconds=LOOK_SECONDS)
    if ran.code != 0:
        advice = "An agent of your own may be meant."
        return warning("image", f"{image} does not say which scripts it holds", advice)
    if ran.out.strip() != digest:
        advice = f"{_BUILD.format(image)} anew."
        return failed("image", f"{image} holds other scripts than there are here", advice)
    return well("image", f"{image} holds the scripts of here ({digest[:12]})")
