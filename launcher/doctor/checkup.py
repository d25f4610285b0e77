"""All that is looked at, in the order in which a person would."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.wire.gateway import GatewayView
from launcher.config import Config, DaytonaConfig
from launcher.doctor.check import Check, failed, warning, well
from launcher.doctor.command_line import look_at_command_line
from launcher.doctor.confinement import look_at_this_host
from launcher.doctor.credentials import look_at_accounts
from launcher.doctor.daytona import look_at_api, look_at_realm
from launcher.doctor.docker import look_at_docker
from launcher.doctor.gateway import look_at_gateway, look_at_public_url
from launcher.doctor.github_actions import look_at_actions
from launcher.doctor.snapshot import look_at_snapshot
from launcher.doctor.visible import look_at_secrets
from launcher.providers.daytona.api_client import DaytonaHttp, open_daytona
from launcher.snapshots.scripts import NoScripts, digest_of

CONFIGURE = "gateway/docs/reference.md lists the launcher's variables."


@dataclass(kw_only=True, slots=True)
class Examination:
    """One look at everything; it changes nothing."""

    config: Config
    problems: list[str]
    """Of the configuration."""
    environ: Mapping[str, str]
    view: GatewayView | None = None
    """What the gateway says of itself, once it was asked."""

    @property
    def snapshots(self) -> list[str]:
        """The one that is ours to try, and the one that tasks get."""
        own = self.config.daytona.snapshot if self.config.daytona else None
        names = (own, self.view.snapshot if self.view else None)
        return list(dict.fromkeys(name for name in names if name))

    @property
    def secrets(self) -> list[str]:
        """What must not be printed."""
        daytona = self.config.daytona.api_key if self.config.daytona else ""
        github = self.config.github_actions.token if self.config.github_actions else ""
        return [self.config.api_key, daytona, github, *self.config.handed.values()]

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
            yield await look_at_public_url(
                self.view, self.config.providers, outgoing=self.config.outgoing
            )
        if self.config.github_actions is not None:
            return  # what sandboxes get is among the secrets of the workflow's repository
        for check in look_at_secrets(self.config):
            yield check
        async for check in look_at_accounts(self.config):
            yield check

    async def _gateway(self) -> list[Check]:
        if not self.config.url or not self.config.api_key:
            return []
        self.view, found = await look_at_gateway(
            self.config.url, self.config.api_key, outgoing=self.config.outgoing
        )
        return found

    def _configuration(self) -> list[Check]:
        if self.problems:
            return [failed("configuration", problem, CONFIGURE) for problem in self.problems]
        chain = " → ".join(self.config.providers)
        left_out = self.config.outgoing.authorities.problems
        return [
            well("configuration", f"complete; providers {chain}"),
            *(warning("certificates", problem, "Correct it or unset it.") for problem in left_out),
        ]

    async def _daytona(self) -> AsyncIterator[Check]:
        daytona = self.config.daytona
        if daytona is None or not daytona.api_key:
            return
        if "daytona-cli" in self.config.providers:
            for check in await self._command_line(daytona):
                yield check
        async with open_daytona(
            daytona.api_url, daytona.api_key, outgoing=self.config.outgoing
        ) as client:
            http = DaytonaHttp(client)
            for check in await look_at_api(http, daytona):
                yield check
            for name in self.snapshots:
                for check in await _snapshot(http, name, daytona.target):
                    yield check
            yield await look_at_realm(http, daytona, self.config.realm)

    async def _docker(self) -> list[Check]:
        """And what this host does for agents of its own."""
        here = [await look_at_this_host()] if "local" in self.config.providers else []
        if "docker" not in self.config.providers:
            return here
        try:
            digest = await digest_of()
        except NoScripts as error:
            return [_no_scripts(error)]
        with tempfile.TemporaryDirectory(prefix="slipgate-doctor-") as folder:
            found = await look_at_docker(
                self.config.docker, self.snapshots, self.environ, Path(folder), digest=digest
            )
        return [*found, *here]

    async def _actions(self) -> list[Check]:
        given = self.config.github_actions
        if given is None or not given.repository or not given.token:
            return []
        return await look_at_actions(given, outgoing=self.config.outgoing)

    async def _command_line(self, daytona: DaytonaConfig) -> list[Check]:
        is_alone = "daytona-api" not in self.config.providers
        with tempfile.TemporaryDirectory(prefix="slipgate-doctor-") as folder:
            return await look_at_command_line(
                daytona, self.environ, Path(folder), is_alone=is_alone
            )


async def _snapshot(http: DaytonaHttp, name: str, target: str | None) -> list[Check]:
    try:
        digest = await digest_of()
    except NoScripts as error:
        return [_no_scripts(error)]
    return await look_at_snapshot(http, name, digest=digest, target=target)


def _no_scripts(error: NoScripts) -> Check:
    return failed("scripts", str(error), "Run slipgate from a whole checkout of it.")
