"""The command `slipgate snapshot`."""

import asyncio
import json
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import NamedTuple

from tests.daytona.api import Api
from tests.daytona.machine import Machine
from tests.doctor.installation import SNAPSHOT, Installation
from tests.forks.programs import shared, slipgate
from tests.launcher.agents import program

OTHER_SCRIPTS = program(f"print('slipgate: scripts={'0' * 64}')")


class Typed(NamedTuple):
    code: int
    out: str
    err: str


async def _typed(installation: Installation, *words: str) -> Typed:
    return await _ran(installation, slipgate(), "snapshot", *words)


async def _checked(installation: Installation, *words: str) -> Typed:
    """The program that `slipgate snapshot check` becomes, which one test starts as such."""
    program = shared("snapshots", "launcher.snapshots.__main__:main")
    return await _ran(installation, program, "check", *words)


async def _ran(installation: Installation, *command: str) -> Typed:
    process = await asyncio.create_subprocess_exec(
        *command, env=installation.environ, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    return Typed(process.returncode or 0, out.decode(), err.decode())


async def test_build_makes_what_check_finds_well(api: Api, installation: Installation) -> None:
    built = await _typed(installation, "build", "mine-2", "--json")
    assert built.code == 0, built.err
    found = json.loads(built.out)
    assert (found["ok"], found["name"]) == (True, "mine-2")
    assert "RUN test" in built.err
    looked = await _typed(installation, "check", "mine-2", "--live")
    assert looked.code == 0, looked.out
    assert "a sandbox ran the scripts of here" in looked.out
    assert "SLIPGATE_SNAPSHOT=mine-2" in looked.out
    assert api.organisation.living() == []


async def test_a_full_image_is_built_and_told_from_a_slim_one(installation: Installation) -> None:
    built = await _typed(installation, "build", "mine-3", "--full")
    assert built.code == 0, built.err
    assert "full: Python, Node, Go, Rust" in built.out
    checked = await _checked(installation, SNAPSHOT, "--full")
    assert checked.code == 1
    assert "has the slim image" in checked.out
    assert "--full" in checked.out


async def test_scripts_that_differ_are_refused_before_money_is_spent(
    api: Api, installation: Installation
) -> None:
    words = ("/bin/bash", "/app/execution.sh", f"scripts={'0' * 64}")
    api.organisation.snapshots[SNAPSHOT].entrypoint = words
    looked = await _checked(installation, "--live")
    assert looked.code == 1
    assert "holds other scripts" in looked.out
    assert api.organisation.sandboxes == {}


async def test_scripts_that_a_snapshot_does_not_name_are_checked_inside(
    api: Api, installation: Installation, tmp_path: Path
) -> None:
    api.organisation.snapshots[SNAPSHOT].entrypoint = ("/bin/bash", "/app/execution.sh")
    api.machine = Machine(tmp_path, program=OTHER_SCRIPTS)
    looked = await _checked(installation, SNAPSHOT, "--live", "--json")
    assert looked.code == 1
    (inside,) = [each for each in json.loads(looked.out)["checks"] if each["name"] == "inside"]
    assert "other scripts (000000000000)" in inside["message"]
    assert "slipgate-agent-2" in inside["advice"]
    assert api.organisation.living() == []


async def test_what_is_missing_is_reported(installation: Installation) -> None:
    installation.environ["PATH"] = "/nowhere"
    built = await _typed(installation, "build", "mine-2")
    assert (built.code, "Install Daytona's CLI" in built.err) == (1, True)
    pushed = await _typed(installation, "push", "mine-2")
    assert (pushed.code, "Install docker's CLI" in pushed.err) == (1, True)
    del installation.environ["DAYTONA_API_KEY"]
    unkeyed = await _checked(installation)
    assert (unkeyed.code, "DAYTONA_API_KEY is not set" in unkeyed.err) == (2, True)
    assert (await _typed(installation)).code == 2
