"""PostgreSQL, gateways behind a balancer, launchers, Daytona, receivers and readers."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psycopg
from starlette.types import Receive, Scope, Send

from gateway.cli.operations.minting import mint
from gateway.store.location import PostgresAddress
from gateway.store.postgres.migrations import migrate
from tests.app.processes import MASTER
from tests.daytona.api import Api, opened
from tests.daytona.organisation import Habits, Snapshot
from tests.e2e.faulty_receiver import FaultyReceiver
from tests.e2e.frontend import Frontend
from tests.e2e.post_storm import HOST, SHARE, Line, new_line
from tests.gateways.balancer import Balancer
from tests.gateways.fleet import Fleet, fleet
from tests.gateways.readers import KINDS, Reader
from tests.gateways.storm import Size, Storm
from tests.launches import chaos
from tests.launches.agents import AgentEvent, ReportingMachine
from tests.launches.chaos import OverlapCounter
from tests.launches.random_faults import RandomFaults
from tests.loops.tls import Authority
from tests.postgres.cluster import running_cluster
from tests.web.callers import SCOPES, GatewayHarness
from tests.web.contract import Contract

REPOSITORY: Final = "https://github.com/acme/widgets"
FAULTS: Final = 0.05
"""Of the calls to Daytona, the share that fails."""
EVENTS: Final[Sequence[AgentEvent]] = (
    ("task.started", {}),
    ("task.progress", {"stage": "agent", "message": "turn 1"}),
    ("task.usage", {"inputTokens": 1, "outputTokens": 1, "turns": 1, "costUsd": 0.1}),
    ("task.progress", {"stage": "agent", "message": "turn 2"}),
    ("task.usage", {"inputTokens": 2, "outputTokens": 1, "turns": 2, "costUsd": 0.2}),
    ("task.completed", {"summary": "done"}),
)


@dataclass(frozen=True, kw_only=True)
class _Opening:
    """One installation that is being opened."""

    folder: Path
    size: Size
    stack: AsyncExitStack
    url: str
    keys: Mapping[str, str]

    def client(self) -> httpx.AsyncClient:
        """An operator's own connections."""
        headers = {"authorization": f"Bearer {self.keys['ops']}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    async def lines(self, database: PostgresAddress, authority: Authority) -> list[Line]:
        """Receivers that can be relied on, and one that cannot; an endpoint for each."""
        stranger = Authority(self.folder / "stranger")
        http = await self.stack.enter_async_context(self.client())
        harness = GatewayHarness(_nowhere, http, self.keys, Contract())
        lines = []
        for share in (*(0.0 for _ in range(self.size.endpoints)), SHARE):
            receiver = FaultyReceiver(
                good=authority.context(HOST),
                bad=stranger.context(HOST),
                seed=self.size.seed,
                share=share,
            )
            address = await self.stack.enter_async_context(receiver.listening())
            lines.append(await new_line(harness, database, receiver, address))
        return lines

    async def daytona(self) -> Api:
        """Daytona with agents that report a few events."""
        organisation = OverlapCounter(
            Habits(start_seconds=0.1, destroy_seconds=0.1, list_lag_seconds=0.5)
        )
        organisation.add_snapshot(Snapshot(name=chaos.SNAPSHOT))
        http = await self.stack.enter_async_context(self.client())
        machine = ReportingMachine(self.folder / "sandboxes", http, EVENTS)
        return await self.stack.enter_async_context(
            opened(Api(organisation=organisation, machine=machine))
        )

    async def readers(self) -> list[Reader]:
        """One of each kind."""
        return [
            Reader(
                name=name,
                http=await self.stack.enter_async_context(self.client()),
                read=read,
                random=random.Random(self.size.seed),
            )
            for name, read in KINDS.items()
        ]


@asynccontextmanager
async def installation(
    folder: Path, size: Size, *, log: Callable[[str], None]
) -> AsyncIterator[Storm]:
    """Everything started and ready."""
    chance, authority = random.Random(size.seed), Authority(folder)
    (folder / "authority.pem").write_text(authority.text)
    async with AsyncExitStack() as stack:
        cluster = stack.enter_context(running_cluster())
        database = PostgresAddress.parse(f"{cluster.address}/postgres")
        with psycopg.connect(database.url, autocommit=True) as connection:
            migrate(connection)
        balancer = await stack.enter_async_context(Balancer(chance).serving())
        settings = {
            "SLIPGATE_DATABASE_URL": database.url,
            "SLIPGATE_SECRET_KEYS": MASTER,
            "SLIPGATE_PUBLIC_URL": balancer.url,
            "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS": "true",
            "SLIPGATE_LEASE_SECONDS": str(chaos.LEASE_SECONDS),
            "SSL_CERT_FILE": str(folder / "authority.pem"),
        }
        keys = {scope: mint(settings, scope, "default", "test").key for scope in SCOPES}
        opening = _Opening(folder=folder, size=size, stack=stack, url=balancer.url, keys=keys)
        gateways = await _started(opening, settings, balancer)
        lines = await opening.lines(database, authority)
        api = await opening.daytona()
        client = await stack.enter_async_context(opening.client())
        faults = RandomFaults(api.organisation, seed=size.seed, share=FAULTS)
        api.faults.otherwise = faults
        yield Storm(
            size=size,
            database=database,
            cluster=cluster,
            fleet=gateways,
            launchers=[
                stack.enter_context(
                    chaos.launcher(
                        folder, chaos.Size(tasks=0), (balancer.url, keys["launcher"]), api, number
                    )
                )
                for number in range(size.launchers)
            ],
            frontend=Frontend(client, "", REPOSITORY),
            api=api,
            faults=faults,
            lines=lines,
            readers=await opening.readers(),
            random=chance,
            log=log,
        )


async def _started(opening: _Opening, settings: Mapping[str, str], balancer: Balancer) -> Fleet:
    size = opening.size
    started = opening.stack.enter_context(
        fleet(
            opening.folder,
            settings,
            balancer,
            gateways=size.gateways,
            are_forks=not size.has_freezes,
        )
    )
    async with asyncio.TaskGroup() as group:
        for each in started.members:
            group.create_task(started.start(each))
    return started


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """The gateways are other processes."""
