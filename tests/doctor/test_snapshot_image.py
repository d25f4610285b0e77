"""The image of the provider `docker`: built by docker on this host, and only if it is not there."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from launcher.providers.docker.cli import DockerCli
from launcher.snapshots.image import ensure_image
from launcher.snapshots.names import SnapshotError
from launcher.snapshots.scripts import Variant, compute_digest, entrypoint_for
from tests.docker.daemon import Daemon
from tests.forks.programs import slipgate

NAME = "slipgate-agent-1"


async def ensured(engine: DockerCli, name: str, *variants: Variant) -> list[bool]:
    digest = await compute_digest()
    return [
        await ensure_image(engine, name, digest=digest, variant=variant, on_output=len)
        for variant in variants
    ]


async def test_it_is_built_unless_it_is_there_of_these_scripts(
    engine: DockerCli, docker: Daemon
) -> None:
    assert await ensured(engine, NAME, "slim", "full", "full") == [True, True, False]
    docker.add_image(NAME, entrypoint_for("0" * 64))
    assert await ensured(engine, NAME, "slim", "slim") == [True, False]


async def test_it_is_built_by_release_20_10_unless_it_is_there(
    engine: DockerCli, docker: Daemon
) -> None:
    docker.becomes_old()
    assert await ensured(engine, NAME, "slim", "slim") == [True, False]


async def test_an_image_of_somebody_else_is_left_as_it_is(
    engine: DockerCli, docker: Daemon
) -> None:
    docker.add_image("theirs:1", ["/bin/agent"])
    with pytest.raises(SnapshotError) as refused:
        await ensured(engine, "theirs:1", "slim")
    assert "SLIPGATE_DOCKER_IMAGES" in refused.value.advice
    assert docker.entrypoint("theirs:1") == ["/bin/agent"]


def test_the_command_needs_no_key_and_says_which_image_it_built(
    tmp_path: Path, docker: Daemon
) -> None:
    environ = {"PATH": f"{tmp_path}/tools:{os.defpath}", "HOME": str(tmp_path)}

    def typed(**other: str) -> "subprocess.CompletedProcess[str]":
        command = [slipgate(), "snapshot", "image", "--json"]
        given = {**environ, **other}
        return subprocess.run(command, env=given, capture_output=True, text=True, check=False)

    built = typed(SLIPGATE_PROVIDERS="docker", SLIPGATE_DOCKER_IMAGES=f"{NAME}=ours:2")
    assert built.returncode == 0, built.stderr
    found = json.loads(built.stdout)
    assert (found["ok"], found["name"]) == (True, "ours:2")
    assert docker.image_folder("ours:2") is not None
    docker.goes(down=True)
    away = typed()
    assert (away.returncode, "Start docker on the launcher's host" in away.stderr) == (1, True)
