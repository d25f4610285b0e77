"""Builds snapshots: by Daytona from a folder, or by docker on this host, and pushed."""

import asyncio
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from launcher.client import Clock, Sleep
from launcher.providers.daytona.api_client import DaytonaApiClient, segment
from launcher.providers.daytona.cli_client import DaytonaCliClient
from launcher.providers.daytona.cli_errors import cli_error
from launcher.providers.daytona.schema import Snapshot
from launcher.providers.docker.cli import DockerCli
from launcher.providers.docker.errors import cli_error as docker_cli_error
from launcher.providers.program import CommandResult, OutputHandler
from launcher.snapshots.image import BUILD_SECONDS, build_image
from launcher.snapshots.names import SnapshotError, check_image, check_name, next_name
from launcher.snapshots.scripts import (
    FOLDER,
    Variant,
    build_context,
    entrypoint_for,
    find_digest,
    find_variant,
)

POLL_SECONDS: Final = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxResources:
    """Resources of each sandbox of the snapshot; sizes in GiB."""

    cpu: int
    memory: int
    disk: int
    region: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotBuilder:
    """Snapshots of one organisation. All calls raise `SnapshotError` and `ProviderError`."""

    http: DaytonaApiClient
    cli: DaytonaCliClient
    digest: str
    """Of the scripts in this release."""
    on_output: OutputHandler
    """Gets the output of builds."""
    variant: Variant = "slim"
    source: Path = FOLDER
    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep

    async def build(self, name: str, resources: SandboxResources) -> Snapshot:
        """Has Daytona build it; returns when it is active."""
        if found := await self._find_existing(name):
            return found
        with build_context(self.digest, self.variant, self.source) as folder:
            result = await self.cli.try_run(
                *("snapshot", "create", name),
                f"--dockerfile={folder / 'Dockerfile'}",
                f"--context={folder}",
                *await self._resource_options("create", resources),
                seconds=BUILD_SECONDS,
                on_output=self.on_output,
            )
        return await self._wait_built(name, result)

    async def push(
        self, name: str, resources: SandboxResources, cli: DockerCli, image: str | None
    ) -> Snapshot:
        """Pushes an image of this host's docker daemon, built first if none is named."""
        if found := await self._find_existing(name):
            return found
        if image is None:
            image = await self._build_image(cli)
        else:
            await self._check_image(cli, image)
        result = await self.cli.try_run(
            *("snapshot", "push", image, f"--name={name}"),
            f"--entrypoint={' '.join(entrypoint_for(self.digest, self.variant))}",
            *await self._resource_options("push", resources),
            seconds=BUILD_SECONDS,
            on_output=self.on_output,
        )
        return await self._wait_built(name, result)

    async def activate(self, name: str) -> None:
        """Activates an inactive snapshot; returns when it is active."""
        found = await self._find(name)
        if found is None:
            raise SnapshotError(f"there is no {name}", f"`slipgate snapshot build {name}`.")
        if found.state == "inactive":
            await self.http.post(f"/snapshots/{segment(found.id)}/activate", {}, Snapshot)
        await self._wait_settled(name)

    async def _find_existing(self, name: str) -> Snapshot | None:
        """An active snapshot of these scripts, or None."""
        check_name(name)
        found = await self._find(name)
        if found is None:
            return None
        if find_digest(found.entrypoint or ()) != self.digest:
            raise SnapshotError(
                f"there is a {name} already, of other scripts, and a snapshot never changes",
                f"Take the next name: {next_name(name)}.",
            )
        if (theirs := find_variant(found.entrypoint or ())) != self.variant:
            raise SnapshotError(
                f"there is a {name} already, of the {theirs} image, and a snapshot never changes",
                f"Take the next name: {next_name(name)}.",
            )
        found = await self._wait_settled(name)
        if found is not None and found.state == "inactive":
            advice = f"`slipgate snapshot check {name} --activate`."
            raise SnapshotError(f"{name} is there already, of these scripts, and inactive", advice)
        if found is not None and found.state != "active":
            raise _broken(found)
        return found

    async def _wait_built(self, name: str, result: CommandResult) -> Snapshot:
        """The state in Daytona counts, whatever the CLI printed."""
        found = await self._wait_settled(name)
        if found is not None and found.state == "active":
            return found
        if found is not None:
            raise _broken(found)
        if result.code == 0:
            raise SnapshotError(
                f"the CLI says that it made {name}, and it is not there", "Try again."
            )
        raise cli_error(result, "snapshot")

    async def _wait_settled(self, name: str) -> Snapshot | None:
        """The snapshot once its state is final, or time is over."""
        deadline = self.clock() + BUILD_SECONDS
        shown = ""
        while True:
            found = await self._find(name)
            if found is not None and found.state != shown:
                shown = found.state
                self.on_output(f"{name} is {shown}\n".encode())
            if found is None or not found.is_transient or self.clock() > deadline:
                return found
            await self.sleep(POLL_SECONDS)

    async def _find(self, name: str) -> Snapshot | None:
        return await self.http.find(f"/snapshots/{segment(name)}", Snapshot)

    async def _resource_options(self, verb: str, resources: SandboxResources) -> list[str]:
        flags = await self.cli.flags("snapshot", verb)
        if resources.region is not None and "region" not in flags:
            raise SnapshotError(
                "this release of Daytona's CLI cannot choose a region",
                "Install a newer one, or unset DAYTONA_TARGET.",
            )
        values = asdict(resources).items()
        return [f"--{flag}={value}" for flag, value in values if value is not None]

    async def _build_image(self, cli: DockerCli) -> str:
        image = f"slipgate-agent:{self.variant}-{self.digest[:12]}"
        # Daytona's runners have this architecture, whatever this host has.
        await build_image(
            *(cli, image, "--platform=linux/amd64"),
            digest=self.digest,
            variant=self.variant,
            on_output=self.on_output,
            source=self.source,
        )
        return image

    async def _check_image(self, cli: DockerCli, image: str) -> None:
        check_image(image)
        run = ("run", "--rm", "--network=none", "--entrypoint=python3", image)
        result = await cli.try_run(*run, "-I", "/app/runner/digest.py", seconds=60.0)
        if result.code != 0:
            raise docker_cli_error(result)
        if result.out.strip() != self.digest:
            raise SnapshotError(
                f"{image} holds other scripts than there are here",
                "Build it anew: `slipgate snapshot push` without --image does both.",
            )


def _broken(found: Snapshot) -> SnapshotError:
    why = f": {found.error_reason}" if found.error_reason else ""
    return SnapshotError(
        f"{found.name} is {found.state}{why}",
        f"`daytona snapshot delete {found.name}`, fix it, and build again; or take "
        f"{next_name(found.name)}.",
    )
