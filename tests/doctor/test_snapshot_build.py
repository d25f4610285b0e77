"""Snapshots are built once per version from this release's scripts; failures are shown."""

import os
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from launcher.providers.daytona.api_client import DaytonaApiClient, open_daytona
from launcher.providers.daytona.cli_client import open_cli_client
from launcher.providers.docker.cli import DockerCli
from launcher.providers.protocol import ProviderError
from launcher.snapshots.build import SandboxResources, SnapshotBuilder
from launcher.snapshots.names import SnapshotError, check_image, check_name, next_name
from launcher.snapshots.scripts import (
    FOLDER,
    compute_digest,
    entrypoint_for,
    find_digest,
    find_variant,
    with_digest,
)
from tests.daytona.api import ALL_SCOPES, Api
from tests.daytona.cli import install
from tests.daytona.organisation import Habits, Snapshot
from tests.docker.daemon import Daemon
from tests.launcher.clock import Time

RESOURCES = SandboxResources(cpu=2, memory=4, disk=8, region=None)
NAME = "slipgate-agent-7"


@pytest.fixture
def printed() -> list[str]:
    return []


@pytest_asyncio.fixture
async def builder(
    tmp_path: Path, api: Api, docker: Daemon, printed: list[str]
) -> AsyncIterator[SnapshotBuilder]:
    """A builder whose CLI knows the daemon, on a simulated clock."""
    time = Time()
    api.organisation.clock = lambda: 1_790_000_000.0 + time.now
    install(tmp_path / "tools", "0.205.1")
    terminal = open_cli_client(
        tmp_path / "cli",
        path="daytona",
        url=api.url,
        api_key="dtn_key",
        environ={"PATH": f"{tmp_path / 'tools'}:{os.defpath}"},
    )
    terminal.environ["DOCKER_HOST"] = f"unix://{docker.folder}"
    async with open_daytona(api.url, "dtn_key") as client:
        yield SnapshotBuilder(
            http=DaytonaApiClient(client),
            cli=terminal,
            digest=await compute_digest(),
            on_output=lambda piece: printed.append(piece.decode()),
            clock=time.clock,
            sleep=time.sleep,
        )


async def test_a_key_that_may_not_build_names_the_missing_scope(
    api: Api, builder: SnapshotBuilder
) -> None:
    api.keys["dtn_key"] = ALL_SCOPES - {"write:snapshots"}
    with pytest.raises(ProviderError, match="Forbidden resource") as refused:
        await builder.build(NAME, RESOURCES)
    assert "the scope write:snapshots" in refused.value.message
    assert "sandboxes" not in refused.value.message
    api.organisation.add_snapshot(Snapshot(name="rests-1", state="inactive"))
    with pytest.raises(ProviderError, match="the scope write:snapshots"):
        await builder.activate("rests-1")


async def test_a_build_shows_its_log_and_its_entrypoint_holds_the_digest(
    api: Api, builder: SnapshotBuilder, printed: list[str]
) -> None:
    made = await builder.build(NAME, RESOURCES)
    assert made.state == "active"
    assert made.entrypoint == entrypoint_for(await compute_digest())
    assert "RUN test" in "".join(printed)
    wanted = api.organisation.snapshots[NAME].wanted
    assert (wanted["cpu"], wanted["memory"], wanted["disk"]) == (2, 4, 8)


async def test_the_same_scripts_are_not_built_twice(api: Api, builder: SnapshotBuilder) -> None:
    await builder.build(NAME, RESOURCES)
    await builder.build(NAME, RESOURCES)
    assert api.faults.calls.count("POST /snapshots") == 1


async def test_no_two_builds_share_a_context_by_its_path(
    api: Api, builder: SnapshotBuilder
) -> None:
    for name in (NAME, "slipgate-agent-8"):
        await builder.build(name, RESOURCES)
    builds = [api.organisation.snapshots[name].wanted for name in (NAME, "slipgate-agent-8")]
    assert builds[0]["buildInfo"] != builds[1]["buildInfo"]


@pytest.mark.parametrize(
    ("entrypoint", "state", "words"),
    [
        pytest.param(("/bin/bash", "/app/execution.sh"), "active", NAME[:-1] + "8", id="others"),
        pytest.param(None, "inactive", "--activate", id="these, resting"),
        pytest.param(None, "build_failed", "daytona snapshot delete", id="these, broken"),
    ],
)
async def test_a_name_that_is_taken_is_never_built_over(
    api: Api, builder: SnapshotBuilder, entrypoint: tuple[str, ...] | None, state: str, words: str
) -> None:
    entrypoint = entrypoint or entrypoint_for(builder.digest)
    api.organisation.add_snapshot(Snapshot(name=NAME, state=state, entrypoint=entrypoint))
    with pytest.raises(SnapshotError) as refused:
        await builder.build(NAME, RESOURCES)
    assert words in refused.value.advice
    assert "POST /snapshots" not in api.faults.calls


async def test_a_failed_build_gives_its_reason(api: Api, builder: SnapshotBuilder) -> None:
    api.organisation.habits = Habits(fails_to_build="no space left on device")
    with pytest.raises(SnapshotError, match="no space left on device"):
        await builder.build(NAME, RESOURCES)


async def test_an_api_error_is_shown_as_the_cli_prints_it(
    api: Api, builder: SnapshotBuilder
) -> None:
    api.keys["dtn_key"] = frozenset()
    with pytest.raises(ProviderError) as refused:
        await builder.build(NAME, RESOURCES)
    assert refused.value.code == "provider_auth"


async def test_a_region_needs_a_cli_that_can_choose_one(api: Api, builder: SnapshotBuilder) -> None:
    resources = SandboxResources(cpu=1, memory=1, disk=3, region="eu")
    await builder.build(NAME, resources)
    assert api.organisation.snapshots[NAME].wanted["regionId"] == "eu"


async def test_a_push_builds_for_daytonas_architecture_and_names_the_entrypoint(
    api: Api, builder: SnapshotBuilder, engine: DockerCli, docker: Daemon
) -> None:
    made = await builder.push(NAME, RESOURCES, engine, None)
    assert made.entrypoint == entrypoint_for(builder.digest)
    image = f"slipgate-agent:slim-{builder.digest[:12]}"
    assert api.organisation.snapshots[NAME].wanted["imageName"] == f"registry/{image}"
    folder = docker.image_folder(image)
    assert folder
    assert '"platform": "linux/amd64"' in (docker.folder / "images.json").read_text()


async def test_an_image_of_other_scripts_is_refused_before_it_is_pushed(
    tmp_path: Path, api: Api, builder: SnapshotBuilder, engine: DockerCli, docker: Daemon
) -> None:
    old = tmp_path / "old"
    shutil.copytree(FOLDER, old, ignore=shutil.ignore_patterns("__pycache__"))
    docker.add_image("ours:1", ["/bin/bash", "/app/execution.sh"], {}, old)
    assert (await builder.push(NAME, RESOURCES, engine, "ours:1")).state == "active"
    (old / "runner" / "budget.py").write_text("")
    with pytest.raises(SnapshotError, match="other scripts"):
        await builder.push("slipgate-agent-8", RESOURCES, engine, "ours:1")
    assert api.faults.calls.count("POST /snapshots") == 1


async def test_a_build_whose_context_is_not_what_was_sent_fails(
    tmp_path: Path, engine: DockerCli
) -> None:
    source = tmp_path / "context"
    shutil.copytree(FOLDER, source, ignore=shutil.ignore_patterns("__pycache__"))
    dockerfile = source / "Dockerfile"
    dockerfile.write_text(with_digest(dockerfile.read_text(), "0" * 64))
    ran = await engine.try_run("build", "--platform=linux/amd64", "--tag=x:1", str(source))
    assert ran.code == 1
    assert "RUN test" in ran.err


async def test_an_inactive_snapshot_is_activated(api: Api, builder: SnapshotBuilder) -> None:
    api.organisation.habits = Habits(build_seconds=30)
    api.organisation.add_snapshot(Snapshot(name=NAME, state="inactive"))
    await builder.activate(NAME)
    assert api.organisation.snapshots[NAME].state == "active"
    await builder.activate(NAME)
    with pytest.raises(SnapshotError, match="there is no"):
        await builder.activate("slipgate-agent-9")


@pytest.mark.parametrize(
    "name", ["slipgate:latest", "latest", "slipgate-agent", "Slipgate-1", "--help", "a b-1", ""]
)
def test_a_name_without_a_version_is_refused_with_one_that_would_do(name: str) -> None:
    with pytest.raises(SnapshotError) as refused:
        check_name(name)
    assert "slipgate" in refused.value.advice
    check_name(next_name("slipgate-agent-1"))


@pytest.mark.parametrize("image", ["x", "x:latest", "registry:5000/x:1", "x:"])
def test_an_image_that_daytonas_cli_refuses_is_refused_first(image: str) -> None:
    with pytest.raises(SnapshotError):
        check_image(image)
    check_image("slipgate-agent:1")


def test_the_entrypoint_stands_on_one_line_in_the_json_form() -> None:
    text = with_digest((FOLDER / "Dockerfile").read_text(), "a" * 64)
    (line,) = [row for row in text.splitlines() if row.startswith("ENTRYPOINT")]
    assert line == f'ENTRYPOINT ["/bin/bash", "/app/execution.sh", "scripts={"a" * 64}"]'
    assert find_digest(["/bin/bash", f"scripts={'a' * 64}"]) == "a" * 64
    for other in ("FROM x\n", text + '\nENTRYPOINT ["sh"]\n'):
        with pytest.raises(SnapshotError, match="exactly one ENTRYPOINT"):
            with_digest(other, "a" * 64)


def test_the_slim_image_ends_with_its_entrypoint_and_the_full_one_goes_on() -> None:
    given = (FOLDER / "Dockerfile").read_text()
    slim, full = (with_digest(given, "a" * 64, variant) for variant in ("slim", "full"))
    assert slim.rstrip().splitlines()[-1].startswith("ENTRYPOINT")
    assert "claude" not in slim
    (line,) = [row for row in full.splitlines() if row.startswith("ENTRYPOINT")]
    assert line.endswith(f'"scripts={"a" * 64}", "image=full"]')
    stages = [row.split() for row in full.splitlines() if row.startswith("FROM")]
    assert stages[-1] == ["FROM", "slim", "AS", "full"]
    for text, user in ((slim, "1000"), (full, "1000")):
        assert [row for row in text.splitlines() if row.startswith("USER")][-1] == f"USER {user}"


def test_every_image_that_ours_is_made_of_is_pinned_by_its_digest() -> None:
    rows = [row.split() for row in (FOLDER / "Dockerfile").read_text().splitlines()]
    bases = [row[1] for row in rows if row[:1] == ["FROM"] and row[1] != "slim"]
    assert len(bases) == 4
    assert all(re.fullmatch(r"[a-z]+:[0-9][\w.-]*@sha256:[0-9a-f]{64}", base) for base in bases)


async def test_a_snapshot_of_the_other_image_is_not_taken_for_the_wanted_one(
    api: Api, builder: SnapshotBuilder
) -> None:
    await builder.build(NAME, RESOURCES)
    full = replace(builder, variant="full")
    with pytest.raises(SnapshotError, match="of the slim image"):
        await full.build(NAME, RESOURCES)
    other = await full.build("slipgate-agent-full-1", RESOURCES)
    assert find_variant(other.entrypoint or ()) == "full"
    assert (await full.build("slipgate-agent-full-1", RESOURCES)).id == other.id
