"""From the configuration to providers that can be asked."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from launcher.providers.daytona.api import DaytonaApi
from launcher.providers.daytona.api_client import DaytonaApiClient, ResponseHook, open_daytona
from launcher.providers.daytona.cli import DaytonaCli
from launcher.providers.daytona.cli_client import DaytonaCliClient, open_cli_client
from launcher.providers.daytona.realm import realm_by_api, realm_by_cli
from launcher.providers.daytona.sandboxes import CreateOptions
from launcher.providers.docker.cli import open_docker_cli
from launcher.providers.docker.provider import Docker, Limits
from launcher.providers.github_actions import GitHubActions, open_github
from launcher.providers.local.provider import EXECUTION, LocalProvider
from launcher.providers.protocol import Provider, ProviderError
from launcher.settings import DaytonaSettings, Settings


@asynccontextmanager
async def open_providers(
    settings: Settings,
    environ: Mapping[str, str],
    program: tuple[str, ...] = EXECUTION,
    on_response: ResponseHook | None = None,
) -> AsyncIterator[tuple[Provider, ...]]:
    """One per name in the configuration, in its order; closed when the block ends. `witness` sees
    every answer of Daytona's API.

    Raises:
        ProviderError: a provider does not tell its realm.
    """
    async with AsyncExitStack() as stack:
        opener = _Opener(settings, environ, program, on_response, stack)
        known: dict[str, Callable[[], Awaitable[Provider]]] = {
            "local": opener.local,
            "daytona-api": opener.daytona_api,
            "daytona-cli": opener.daytona_cli,
            "docker": opener.docker,
        }
        named = (name for name in settings.providers if name != GitHubActions.name)
        yield tuple([await known[name]() for name in named])


@asynccontextmanager
async def open_github_actions(settings: Settings) -> AsyncIterator[GitHubActions | None]:
    """Who does the jobs in our place, if somebody does."""
    given = settings.github_actions
    if given is None:
        yield None
        return
    async with open_github(given.api_url, given.token, egress=settings.egress) as http:
        yield GitHubActions(
            http,
            repository=given.repository,
            workflow=given.workflow,
            ref=given.ref,
            realm=given.realm,
        )


class _Opener:
    """Opens providers; those of one Daytona share its realm."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        program: tuple[str, ...],
        on_response: ResponseHook | None,
        stack: AsyncExitStack,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._program = program
        self._witness = on_response
        self._stack = stack
        self._realm = settings.realm

    async def local(self) -> Provider:
        """Agents on this host."""
        return LocalProvider(
            self._settings.state,
            environ=self._environ,
            realm=self._settings.realm,
            hidden=self._settings.hidden,
            program=self._program,
        )

    async def daytona_api(self) -> Provider:
        """By REST."""
        daytona = self._daytona()
        client = await self._stack.enter_async_context(
            open_daytona(
                daytona.api_url,
                daytona.api_key,
                self._witness,
                egress=self._settings.egress,
            )
        )
        http = DaytonaApiClient(client)
        realm = await self._daytona_realm(http, None)
        return DaytonaApi(http, realm=realm, options=_options(daytona))

    async def daytona_cli(self) -> Provider:
        """By the command line."""
        daytona = self._daytona()
        cli = open_cli_client(
            self._settings.state / "daytona-cli",
            path="daytona",
            url=daytona.api_url,
            api_key=daytona.api_key,
            environ=self._environ,
        )
        realm = await self._daytona_realm(None, cli)
        return DaytonaCli(cli, realm=realm, options=_options(daytona))

    async def docker(self) -> Provider:
        """By the docker CLI. Its realm can always be read: a name given to Daytona's is not its."""
        cli = open_docker_cli(self._settings.state / "docker-cli", environ=self._environ)
        realm = await cli.identity()
        docker = self._settings.docker
        limits = Limits(memory=docker.memory, cpus=docker.cpus, pids=docker.pids)
        return Docker(cli, realm=realm, limits=limits, images=docker.images)

    def _daytona(self) -> DaytonaSettings:
        if self._settings.daytona is None:
            raise ProviderError("provider_auth", "DAYTONA_API_KEY is not set", retryable=False)
        return self._settings.daytona

    async def _daytona_realm(
        self, http: DaytonaApiClient | None, cli: DaytonaCliClient | None
    ) -> str:
        """Read once, by whichever comes first."""
        url = self._daytona().api_url
        if self._realm is None and http is not None:
            self._realm = await realm_by_api(http, url)
        elif self._realm is None and cli is not None:
            self._realm = await realm_by_cli(cli, url)
        return self._realm or ""


def _options(daytona: DaytonaSettings) -> CreateOptions:
    return CreateOptions(
        target=daytona.target, ttl_minutes=daytona.ttl_minutes, secrets=daytona.secrets
    )
