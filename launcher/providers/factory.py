"""Opens the providers that the settings name."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from launcher.egress import ResponseHook
from launcher.github import open_github
from launcher.providers.daytona.api import DaytonaApi
from launcher.providers.daytona.api_client import DaytonaApiClient, open_daytona
from launcher.providers.daytona.cli import DaytonaCli
from launcher.providers.daytona.cli_client import open_cli_client
from launcher.providers.daytona.realm import realm_by_api, realm_by_cli
from launcher.providers.docker.cli import open_docker_cli
from launcher.providers.docker.provider import Docker
from launcher.providers.github_actions import GitHubActions
from launcher.providers.local.provider import EXECUTION, LocalProvider
from launcher.providers.protocol import Provider, ProviderError
from launcher.settings import DaytonaSettings, Settings

NO_KUBERNETES: Final = (
    "SLIPGATE_PROVIDERS names kubernetes, which needs libraries of its own: "
    "`pip install 'slipgate[kubernetes]'`"
)


@asynccontextmanager
async def open_providers(
    settings: Settings,
    environ: Mapping[str, str],
    program: tuple[str, ...] = EXECUTION,
    on_response: ResponseHook | None = None,
) -> AsyncIterator[tuple[Provider, ...]]:
    """The providers in the order of the settings; `on_response` gets every response of Daytona.
    Raises `ProviderError` if the realm of a provider is unknown."""
    async with AsyncExitStack() as stack:
        factory = _Factory(settings, environ, program, on_response, stack, settings.realm)
        makers = {
            "local": factory.local,
            "daytona-api": factory.daytona_api,
            "daytona-cli": factory.daytona_cli,
            "docker": factory.docker,
            "kubernetes": factory.kubernetes,
        }
        names = (name for name in settings.providers if name != GitHubActions.name)
        yield tuple([await makers[name]() for name in names])


@asynccontextmanager
async def open_github_actions(settings: Settings) -> AsyncIterator[GitHubActions | None]:
    """The workflow that runs the jobs, if there is one."""
    actions = settings.github_actions
    if actions is None:
        yield None
        return
    async with open_github(actions.api_url, actions.token, egress=settings.egress) as http:
        yield GitHubActions(http, actions)


@dataclass(slots=True)
class _Factory:
    """Makes providers; those of Daytona share a realm, which is read once."""

    settings: Settings
    environ: Mapping[str, str]
    program: tuple[str, ...]
    on_response: ResponseHook | None
    stack: AsyncExitStack
    realm: str | None

    async def local(self) -> Provider:
        return LocalProvider(
            self.settings.state,
            environ=self.environ,
            realm=self.settings.realm,
            hidden=self.settings.hidden,
            program=self.program,
        )

    async def daytona_api(self) -> Provider:
        daytona = self._daytona()
        url, key, egress = daytona.api_url, daytona.api_key, self.settings.egress
        http = open_daytona(url, key, self.on_response, egress=egress)
        api = DaytonaApiClient(await self.stack.enter_async_context(http))
        self.realm = self.realm or await realm_by_api(api, url)
        return DaytonaApi(api, realm=self.realm, options=daytona.create)

    async def daytona_cli(self) -> Provider:
        daytona = self._daytona()
        cli = open_cli_client(
            self.settings.state / "daytona-cli",
            path="daytona",
            url=daytona.api_url,
            api_key=daytona.api_key,
            environ=self.environ,
        )
        self.realm = self.realm or await realm_by_cli(cli, daytona.api_url)
        return DaytonaCli(cli, realm=self.realm, options=daytona.create)

    async def docker(self) -> Provider:
        """Its realm is the daemon's id, also where SLIPGATE_REALM names Daytona's."""
        cli = open_docker_cli(self.settings.state / "docker-cli", environ=self.environ)
        return Docker(cli, realm=await cli.identity(), settings=self.settings.docker)

    async def kubernetes(self) -> Provider:
        """Its modules are loaded here alone: what they import is an extra."""
        try:
            from launcher.providers.kubernetes.factory import open_kubernetes  # noqa: PLC0415
        except ImportError as error:
            raise ProviderError("provider_unavailable", NO_KUBERNETES) from error
        provider = open_kubernetes(self.settings, self.environ)
        return await self.stack.enter_async_context(provider)

    def _daytona(self) -> DaytonaSettings:
        if self.settings.daytona is None:
            raise ProviderError("provider_auth", "DAYTONA_API_KEY is not set")
        return self.settings.daytona
