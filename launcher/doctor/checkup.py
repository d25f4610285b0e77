"""All that is looked at, in the order in which a person would."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.wire.gateway import GatewayView
from launcher.doctor.check import Check, failed, ok, warning
from launcher.doctor.command_line import check_cli
from launcher.doctor.confinement import check_host_confinement
from launcher.doctor.credentials import check_credentials
from launcher.doctor.daytona import check_api_key, check_realm
from launcher.doctor.docker import check_docker
from launcher.doctor.gateway import check_gateway, check_public_url
from launcher.doctor.github_actions import check_github_actions
from launcher.doctor.snapshot import check_snapshot
from launcher.doctor.visible import check_exposure
from launcher.providers.daytona.api_client import DaytonaApiClient, open_daytona
from launcher.settings import DaytonaSettings, Settings
from launcher.snapshots.scripts import NoScripts, compute_digest

CONFIGURE = "gateway/docs/reference.md lists the launcher's variables."


@dataclass(kw_only=True, slots=True)
class Checkup:
    """One look at everything; it changes nothing."""

    settings: Settings
    problems: list[str]
    """Of the configuration."""
    environ: Mapping[str, str]
    view: GatewayView | None = None
    """What the gateway says of itself, once it was asked."""

    @property
    def snapshots(self) -> list[str]:
        """The one that is ours to try, and the one that tasks get."""
        own = self.settings.daytona.snapshot if self.settings.daytona else None
        names = (own, self.view.snapshot if self.view else None)
        return list(dict.fromkeys(name for name in names if name))

    @property
    def secrets(self) -> list[str]:
        """What must not be printed."""
        daytona = self.settings.daytona.api_key if self.settings.daytona else ""
        github = self.settings.github_actions.token if self.settings.github_actions else ""
        return [self.settings.api_key, daytona, github, *self.settings.forwarded_env.values()]

    async def run(self) -> AsyncIterator[Check]:
        """One check after the other."""
        for check in await self._gateway():
            yield check
        for check in self._configuration():
            yield check
        async for check in self._daytona():
            yield check
        for check in await self._docker():
            yield check
        for check in await self._actions():
            yield check
        if self.view is not None:
            yield await check_public_url(
                self.view, self.settings.providers, egress=self.settings.egress
            )
        if self.settings.github_actions is not None:
            return  # what sandboxes get is among the secrets of the workflow's repository
        for check in check_exposure(self.settings):
            yield check
        async for check in check_credentials(self.settings):
            yield check

    async def _gateway(self) -> list[Check]:
        if not self.settings.url or not self.settings.api_key:
            return []
        self.view, found = await check_gateway(
            self.settings.url, self.settings.api_key, egress=self.settings.egress
        )
        return found

    def _configuration(self) -> list[Check]:
        if self.problems:
            return [failed("configuration", problem, CONFIGURE) for problem in self.problems]
        chain = " → ".join(self.settings.providers)
        left_out = self.settings.egress.authorities.problems
        return [
            ok("configuration", f"complete; providers {chain}"),
            *(warning("certificates", problem, "Correct it or unset it.") for problem in left_out),
        ]

    async def _daytona(self) -> AsyncIterator[Check]:
        daytona = self.settings.daytona
        if daytona is None or not daytona.api_key:
            return
        if "daytona-cli" in self.settings.providers:
            for check in await self._command_line(daytona):
                yield check
        async with open_daytona(
            daytona.api_url, daytona.api_key, egress=self.settings.egress
        ) as client:
            http = DaytonaApiClient(client)
            for check in await check_api_key(http, daytona):
                yield check
            for name in self.snapshots:
                for check in await _snapshot(http, name, daytona.target):
                    yield check
            yield await check_realm(http, daytona, self.settings.realm)

    async def _docker(self) -> list[Check]:
        """And what this host does for agents of its own."""
        here = [await check_host_confinement()] if "local" in self.settings.providers else []
        if "docker" not in self.settings.providers:
            return here
        try:
            digest = await compute_digest()
        except NoScripts as error:
            return [_no_scripts(error)]
        with tempfile.TemporaryDirectory(prefix="slipgate-doctor-") as folder:
            found = await check_docker(
                self.settings.docker, self.snapshots, self.environ, Path(folder), digest=digest
            )
        return [*found, *here]

    async def _actions(self) -> list[Check]:
        given = self.settings.github_actions
        if given is None or not given.repository or not given.token:
            return []
        return await check_github_actions(given, egress=self.settings.egress)

    async def _command_line(self, daytona: DaytonaSettings) -> list[Check]:
        is_alone = "daytona-api" not in self.settings.providers
        with tempfile.TemporaryDirectory(prefix="slipgate-doctor-") as folder:
            return await check_cli(daytona, self.environ, Path(folder), is_alone=is_alone)


async def _snapshot(http: DaytonaApiClient, name: str, target: str | None) -> list[Check]:
    try:
        digest = await compute_digest()
    except NoScripts as error:
        return [_no_scripts(error)]
    return await check_snapshot(http, name, digest=digest, target=target)


def _no_scripts(error: NoScripts) -> Check:
    return failed("scripts", str(error), "Run slipgate from a whole checkout of it.")
