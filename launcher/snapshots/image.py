"""The image of sandboxes, built by docker on this host."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from launcher.providers.docker.cli import DockerCli
from launcher.providers.docker.errors import cli_error
from launcher.providers.program import OutputHandler
from launcher.snapshots.names import SnapshotError
from launcher.snapshots.scripts import (
    ENTRYPOINT,
    FOLDER,
    Variant,
    build_context,
    find_digest,
    find_variant,
)

BUILD_SECONDS: Final = 3_600.0
"""Daytona's own limit of a build."""


async def ensure_image(
    cli: DockerCli,
    image: str,
    *,
    digest: str,
    variant: Variant,
    on_output: OutputHandler,
    source: Path = FOLDER,
) -> bool:
    """Builds the image unless it holds these scripts already; True if it was built.

    Raises:
        SnapshotError: an image of somebody else has this name.
        ProviderError: docker is not there, or cannot build it.
    """
    await cli.identity()
    words = await _entrypoint(cli, image)
    if words is not None and tuple(words[:2]) != ENTRYPOINT:
        raise SnapshotError(
            f"there is a {image} already, and it does not run slipgate's scripts",
            "Take another name, and map it: SLIPGATE_DOCKER_IMAGES=slipgate-agent-1=NAME.",
        )
    if words is not None and (find_digest(words), find_variant(words)) == (digest, variant):
        return False
    await build_image(
        cli, image, digest=digest, variant=variant, on_output=on_output, source=source
    )
    return True


async def build_image(
    cli: DockerCli,
    image: str,
    *options: str,
    digest: str,
    variant: Variant,
    on_output: OutputHandler,
    source: Path = FOLDER,
) -> None:
    """Raises `ProviderError`."""
    with build_context(digest, variant, source) as folder:
        result = await cli.try_run(
            *("build", *options, f"--tag={image}", str(folder)),
            seconds=BUILD_SECONDS,
            on_output=on_output,
        )
    if result.code != 0:
        raise cli_error(result)


async def _entrypoint(cli: DockerCli, image: str) -> Sequence[str] | None:
    """None: there is no such image."""
    result = await cli.try_run("image", "inspect", "--format={{json .Config.Entrypoint}}", image)
    if result.code == 0:
        return msgspec.json.decode(result.out, type=list[str] | None) or []
    error = cli_error(result)
    if error.code == "snapshot_not_found":
        return None
    raise error
