"""Making snapshots: by Daytona from a folder, or by docker here and pushed."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launcher.client import Clock, Sleep
from launcher.providers.daytona.api_client import DaytonaHttp, segment
from launcher.providers.daytona.cli_client import Terminal
from launcher.providers.daytona.cli_errors import complaint
from launcher.providers.daytona.schema import Snapshot
from launcher.providers.docker.cli import Engine
from launcher.providers.docker.errors import complaint as docker_complaint
from launcher.providers.program import Ran, Take
from launcher.snapshots.dockerfile import laid_out
from launcher.snapshots.names import Unwanted, check_image, check_name, next_name
from launcher.snapshots.scripts import FOLDER, digest_in, entrypoint_with

BUILD_SECONDS: Final = 3_600.0
"""Daytona itself gives a build up after so long."""
LOOK_SECONDS: Final = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What each sandbox of the snapshot gets; sizes in GiB."""

    cpu: int
    memory: int
    disk: int
    region: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Workshop:
    """One organisation's, with the means to build for it."""

    http: DaytonaHttp
    terminal: Terminal
    digest: str
    """Of the scripts of here."""
    echo: Take
    """Gets what builds print."""
    source: Path = FOLDER
    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep

    async def build(self, name: str, resources: Resources) -> Snapshot:
        """By Daytona, which shows its log; returns when it is active.

        Raises:
            Unwanted: there is one of that name, or the build failed.
            ProviderError: Daytona or its CLI cannot.
        """
        if found := await self._there(name):
            return found
        with laid_out(self.digest, self.source) as folder:
            ran = await self.terminal.ran(
                *("snapshot", "create", name),
                f"--dockerfile={folder / 'Dockerfile'}",
                f"--context={folder}",
                *await self._sized("create", resources),
                seconds=BUILD_SECONDS,
                echo=self.echo,
            )
        return await self._made(name, ran)

    async def push(
        self, name: str, resources: Resources, engine: Engine, image: str | None
    ) -> Snapshot:
        """An image of this host's docker daemon, built first if none is named.

        Raises:
            Unwanted: there is one of that name, or the image is not what it should be.
            ProviderError: Daytona, its CLI or docker cannot.
        """
        if found := await self._there(name):
            return found
        if image is None:
            image = await self._built_here(engine)
        else:
            await self._check_image(engine, image)
        ran = await self.terminal.ran(
            *("snapshot", "push", image, f"--name={name}"),
            f"--entrypoint={' '.join(entrypoint_with(self.digest))}",
            *await self._sized("push", resources),
            seconds=BUILD_SECONDS,
            echo=self.echo,
        )
        return await self._made(name, ran)

    async def activate(self, name: str) -> None:
        """One that rests; returns when it is active.

        Raises:
            Unwanted: there is none.
            ProviderError: Daytona cannot.
        """
        found = await self._find(name)
        if found is None:
            raise Unwanted(f"there is no {name}", f"`slipgate snapshot build {name}`.")
        if found.state == "inactive":
            await self.http.post(f"/snapshots/{segment(found.id)}/activate", {}, Snapshot)
        await self._settled(name)

    async def _there(self, name: str) -> Snapshot | None:
        """One that needs no making, or None."""
        check_name(name)
        found = await self._find(name)
        if found is None:
            return None
        if digest_in(found.entrypoint or ()) != self.digest:
            raise Unwanted(
                f"there is a {name} already, of other scripts, and a snapshot never changes",
                f"Take the next name: {next_name(name)}.",
            )
        found = await self._settled(name)
        if found is not None and found.state == "inactive":
            advice = f"`slipgate snapshot check {name} --activate`."
            raise Unwanted(f"{name} is there already, of these scripts, and rests", advice)
        if found is not None and found.state != "active":
            raise _broken(found)
        return found

    async def _made(self, name: str, ran: Ran) -> Snapshot:
        """What the CLI says is only half of it: what Daytona shows counts."""
        found = await self._settled(name)
        if found is not None and found.state == "active":
            return found
        if found is not None:
            raise _broken(found)
        if ran.code == 0:
            raise Unwanted(f"the CLI says that it made {name}, and it is not there", "Try again.")
        raise complaint(ran, "snapshot")

    async def _settled(self, name: str) -> Snapshot | None:
        """Once nothing more happens to it, or time is over."""
        give_up = self.clock() + BUILD_SECONDS
        async for found in self._looks(name):
            if found is None or not found.is_on_its_way or self.clock() > give_up:
                return found
        raise AssertionError("the looks have no end")

    async def _looks(self, name: str) -> AsyncIterator[Snapshot | None]:
        told = ""
        while True:
            found = await self._find(name)
            if found is not None and found.state != told:
                told = found.state
                self.echo(f"{name} is {told}\n".encode())
            yield found
            await self.sleep(LOOK_SECONDS)

    async def _find(self, name: str) -> Snapshot | None:
        return await self.http.find(f"/snapshots/{segment(name)}", Snapshot)

    async def _sized(self, verb: str, resources: Resources) -> list[str]:
        flags = await self.terminal.flags("snapshot", verb)
        wanted: Mapping[str, object] = {
            "cpu": resources.cpu,
            "memory": resources.memory,
            "disk": resources.disk,
            "region": resources.region,
        }
        if resources.region is not None and "region" not in flags:
            raise Unwanted(
                "this release of Daytona's CLI cannot choose a region",
                "Install a newer one, or unset DAYTONA_TARGET.",
            )
        return [f"--{flag}={value}" for flag, value in wanted.items() if value is not None]

    async def _built_here(self, engine: Engine) -> str:
        image = f"slipgate-agent:{self.digest[:12]}"
        with laid_out(self.digest, self.source) as folder:
            # Daytona's runners are of this architecture, whatever this host is.
            ran = await engine.ran(
                *("build", "--platform=linux/amd64", f"--tag={image}", str(folder)),
                seconds=BUILD_SECONDS,
                echo=self.echo,
            )
        if ran.code != 0:
            raise docker_complaint(ran)
        return image

    async def _check_image(self, engine: Engine, image: str) -> None:
        check_image(image)
        look = ("run", "--rm", "--network=none", "--entrypoint=python3", image)
        ran = await engine.ran(*look, "-I", "/app/runner/digest.py", seconds=60.0)
        if ran.code != 0:
            raise docker_complaint(ran)
        if ran.out.strip() != self.digest:
            raise Unwanted(
                f"{image} holds other scripts than there are here",
                "Build it anew: `slipgate snapshot push` without --image does both.",
            )


def _broken(found: Snapshot) -> Unwanted:
    why = f": {found.error_reason}" if found.error_reason else ""
    return Unwanted(
        f"{found.name} is {found.state}{why}",
        f"`daytona snapshot delete {found.name}`, mend it, and build again; or take "
        f"{next_name(found.name)}.",
    )
