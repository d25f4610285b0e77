"""All checks of `slipgate doctor`, in the order in which a person would make them."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.wire.launcher import GatewayView
from launcher.doctor.credentials import check_credentials, check_exposure
from launcher.doctor.daytona import check_api_key, check_cli, check_realm
from launcher.doctor.docker import check_docker, check_host_confinement
from launcher.doctor.gateway import check_gateway, check_public_url
from launcher.doctor.github_actions import check_github_actions
from launcher.doctor.github_installations import check_github_app
from launcher.doctor.report import Check, failed, ok, warning
from launcher.doctor.snapshot import check_snapshot
from launcher.providers.daytona.api_client import DaytonaApiClient, open_daytona
from launcher.providers.factory import NO_KUBERNETES
from launcher.settings import DaytonaSettings, Settings
from launcher.snapshots.scripts import NoScripts, compute_digest


@dataclass(kw_only=True, slots=True)
class Checkup:
    """One run of all checks, which change nothing."""

    settings: Settings
    problems: list[str]
    """Of the settings."""
    environ: Mapping[str, str]
    gateway: GatewayView | None = None
    """Set once the gateway has answered."""

    @property
    def snapshots(self) -> list[str]:
        """DAYTONA_SNAPSHOT_NAME, and the default of tasks."""
        own = self.settings.daytona.snapshot if self.settings.daytona else None
        names = (own, self.gateway.snapshot if self.gateway else None)
        return list(dict.fromkeys(name for name in names if name))

    @property
    def secrets(self) -> list[str]:
        daytona = self.settings.daytona.api_key if self.settings.daytona else ""
        github = self.settings.github_actions.token if self.settings.github_actions else ""
        forwarded = self.settings.forwarded_env.items()
        keys = [value for name, value in forwarded if not _is_plain_url(name, value)]
        return [self.settings.api_key, daytona, github, *keys]

    async def run(self) -> AsyncIterator[Check]:
        providers = (self._daytona, self._docker, self._kubernetes, self._github_actions)
        for part in (self._gateway, self._configuration, *providers):
            async for check in part():
                yield check
        if self.gateway is not None:
            yield await check_public_url(
                self.gateway, self.settings.providers, egress=self.settings.egress
            )
        if self.settings.github_actions is not None:
            return  # the credentials of sandboxes are secrets of the workflow's repository
        if self.settings.github_app is not None:
            yield await check_github_app(self.settings.github_app, egress=self.settings.egress)
        for check in check_exposure(self.settings):
            yield check
        async for check in check_credentials(self.settings):
            yield check

    async def _gateway(self) -> AsyncIterator[Check]:
        url, key = self.settings.url, self.settings.api_key
        if url and key:
            self.gateway, checks = await check_gateway(url, key, egress=self.settings.egress)
            for check in checks:
                yield check

    async def _configuration(self) -> AsyncIterator[Check]:
        for problem in self.problems:
            advice = "gateway/docs/reference.md lists the launcher's variables."
            yield failed("configuration", problem, advice)
        if self.problems:
            return
        yield ok("configuration", f"complete; providers {' → '.join(self.settings.providers)}")
        for problem in self.settings.egress.authorities.problems:
            yield warning("certificates", problem, "Correct it or unset it.")

    async def _daytona(self) -> AsyncIterator[Check]:
        daytona = self.settings.daytona
        if daytona is None or not daytona.api_key:
            return
        if "daytona-cli" in self.settings.providers:
            for check in await self._daytona_cli(daytona):
                yield check
        async with open_daytona(
            daytona.api_url, daytona.api_key, egress=self.settings.egress
        ) as http:
            api = DaytonaApiClient(http)
            for check in await check_api_key(api, daytona):
                yield check
            for name in self.snapshots:
                for check in await _check_snapshot(api, name, daytona.create.target):
                    yield check
            yield await check_realm(api, daytona, self.settings.realm)

    async def _daytona_cli(self, daytona: DaytonaSettings) -> list[Check]:
        is_alone = "daytona-api" not in self.settings.providers
        with tempfile.TemporaryDirectory(prefix="slipgate-doctor-") as folder:
            return await check_cli(daytona, self.environ, Path(folder), is_alone=is_alone)

    async def _docker(self) -> AsyncIterator[Check]:
        if "docker" in self.settings.providers:
            for check in await self._check_docker():
                yield check
        if "local" in self.settings.providers:
            if shutil.which("git", path=self.environ.get("PATH", "")) is None:
                advice = "Install it, for one by `apt-get install git`."
                yield failed("git", "there is no `git` on PATH: agents here cannot clone", advice)
            yield await check_host_confinement()

    async def _check_docker(self) -> list[Check]:
        try:
            digest = await compute_digest()
        except NoScripts as error:
            return [_no_scripts(error)]
        with tempfile.TemporaryDirectory(prefix="slipgate-doctor-") as folder:
            return await check_docker(
                self.settings.docker, self.snapshots, self.environ, Path(folder), digest=digest
            )

    async def _kubernetes(self) -> AsyncIterator[Check]:
        if "kubernetes" not in self.settings.providers:
            return
        try:
            from launcher.doctor.kubernetes import check_kubernetes  # noqa: PLC0415 - an extra
        except ImportError:
            yield failed("Kubernetes", NO_KUBERNETES, "Install it where the launcher runs.")
            return
        async for check in check_kubernetes(self.settings, self.environ):
            yield check

    async def _github_actions(self) -> AsyncIterator[Check]:
        actions = self.settings.github_actions
        if actions is not None and actions.repository and actions.token:
            for check in await check_github_actions(actions, egress=self.settings.egress):
                yield check


def _is_plain_url(name: str, value: str) -> bool:
    """True for an address without a password or a token, which may be shown."""
    return name.endswith("_URL") and not set("@?") & set(value)


async def _check_snapshot(api: DaytonaApiClient, name: str, target: str | None) -> list[Check]:
    try:
        digest = await compute_digest()
    except NoScripts as error:
        return [_no_scripts(error)]
    return await check_snapshot(api, name, digest=digest, target=target)


def _no_scripts(error: NoScripts) -> Check:
    return failed("scripts", str(error), "Run slipgate from a whole checkout of it.")
