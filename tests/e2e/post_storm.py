"""Webhooks out while their receiver misbehaves and the gateway dies at random; then calm."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx
from starlette.types import Receive, Scope, Send

from gateway.cli.local.processes import Child, wait_until_ready
from gateway.store.location import Location
from gateway.store.sqlite.admin.audit import audit
from gateway.wire.signing import secret_bytes
from tests.app.processes import environ
from tests.e2e.accounts import Account
from tests.e2e.arrivals import Span
from tests.e2e.faulty_receiver import FaultyReceiver
from tests.e2e.wait import until
from tests.forks.children import ForkedChild
from tests.forks.programs import shared
from tests.loops.tls import Authority
from tests.ports import reserved_port
from tests.stores import FileDatabase
from tests.web.callers import Agent, GatewayHarness, add_keys
from tests.web.contract import Contract

FAST_RETRIES = ("fast-retries", "tests.e2e.fast_retries:main")
HOST = "127.0.0.1"
TASKS = 4
WORD_SECONDS = 0.03
"""Between two words of an agent."""
CALM_SECONDS = (0.2, 1.5)
"""Between two kills."""
AWAY_SECONDS = 0.5
LOOK_SECONDS = 0.2
READY_SECONDS = 60.0
SHARE = 0.3
"""Of what comes to the faulty receiver, how much goes wrong."""


@dataclass(kw_only=True)
class Line:
    """An endpoint, its receiver, and what is written about both."""

    endpoint_id: str
    receiver: FaultyReceiver
    account: Account
    since: int
    """The last event before it was made."""


@dataclass(kw_only=True)
class PostStorm:
    """Two receivers of the same events, one of which can be relied on."""

    harness: GatewayHarness
    gateway: Child
    url: str
    database: Path
    lines: Sequence[Line]
    random: random.Random
    log: Callable[[str], None]
    kills: int = 0
    words: int = 0
    outages: list[Span] = field(default_factory=list)
    _is_over: bool = False

    async def rage(self, seconds: float) -> None:
        """Returns when nothing is owed any more; raises `TimeoutError` if something stays."""
        agents = [(await self.harness.launch())[1] for _ in range(TASKS)]
        async with asyncio.TaskGroup() as group:
            speaking = [group.create_task(self._speak(agent)) for agent in agents]
            enabling = group.create_task(self._enable())
            await self._kill(time.monotonic() + seconds)
            for line in self.lines:
                line.receiver.calm_down()
            # What is never taken uses up its schedule; what is taken in between keeps the
            # breaker closed.
            await until(lambda: not any(self._failing()), "what is not taken to die")
            self._is_over = True
            await asyncio.wait(speaking)
            for line in self.lines:
                line.receiver.takes_all = True
            await until(lambda: not any(self._open()), "the rest to arrive")
            enabling.cancel()

    def problems(self) -> list[str]:
        """Everything that is not as promised."""
        return [
            *map(str, audit(self.database).problems),
            *(
                problem
                for line in self.lines
                for problem in line.account.problems(
                    line.receiver.arrivals, self.outages, since=line.since
                )
            ),
        ]

    def outcomes(self) -> Counter[str]:
        """The number of deliveries by final state."""
        return Counter(
            status for line in self.lines for status in line.account.standings().values()
        )

    def _failing(self) -> list[int]:
        return [line.account.failing() for line in self.lines]

    def _open(self) -> list[int]:
        return [line.account.open() for line in self.lines]

    async def _speak(self, agent: Agent) -> None:
        """Some words may be superseded by the next one, some may not."""
        await self._emit(agent, "task.started", "w0")
        for number in count(1):
            fields: dict[str, object] = {"stage": "agent", "message": f"turn {number}"}
            kind = "task.progress"
            if self.random.random() < 0.7:
                kind, fields = "task.usage", {"inputTokens": number, "outputTokens": 1, "turns": 1}
                fields["costUsd"] = 0.1
            await self._emit(agent, kind, f"w{number}", **fields)
            if self._is_over:
                break
            await asyncio.sleep(WORD_SECONDS)
        await self._emit(agent, "task.completed", "end", branchName="b", summary="s", validation=[])

    async def _emit(self, agent: Agent, kind: str, name: str, **fields: object) -> None:
        """Until it is heard: the gateway may be gone just now."""
        while True:
            try:
                answer = await agent.emit(kind, name, **fields)
            except httpx.TransportError:
                await asyncio.sleep(LOOK_SECONDS)
                continue
            if answer.status_code in {200, 202}:
                self.words += 1
                return
            assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
            await asyncio.sleep(LOOK_SECONDS)

    async def _enable(self) -> None:
        """An operator who enables again what a 410 has disabled."""
        while True:
            for line in self.lines:
                path = f"/v1/endpoints/{line.endpoint_id}"
                try:
                    shown = await self.harness.get(path, "ops")
                    if shown.is_success and not shown.json()["enabled"]:
                        await self.harness.post(f"{path}/enable", {}, "ops")
                except httpx.TransportError:
                    pass
            await asyncio.sleep(LOOK_SECONDS)

    async def _kill(self, until_moment: float) -> None:
        while time.monotonic() < until_moment:
            await asyncio.sleep(self.random.uniform(*CALM_SECONDS))
            self.log("kill -9 gateway")
            began = time.monotonic()
            await asyncio.to_thread(self.gateway.kill)
            await asyncio.sleep(self.random.uniform(0, AWAY_SECONDS))
            self.gateway.start()
            await asyncio.to_thread(wait_until_ready, self.url, self.gateway, seconds=READY_SECONDS)
            self.outages.append((began, time.monotonic()))
            self.kills += 1


@asynccontextmanager
async def post_storm(
    folder: Path, *, seed: int, log: Callable[[str], None]
) -> AsyncIterator[PostStorm]:
    """The gateway, its receivers, and an endpoint for each."""
    authority, stranger = Authority(folder), Authority(folder / "stranger")
    trusted = folder / "authority.pem"
    trusted.write_text(authority.text)
    receivers = [
        FaultyReceiver(
            good=authority.context(HOST), bad=stranger.context(HOST), seed=seed, share=share
        )
        for share in (0.0, SHARE)
    ]
    keys = add_keys(FileDatabase(folder / "s.db"))
    async with AsyncExitStack() as stack:
        port = stack.enter_context(reserved_port())
        url = f"http://{HOST}:{port}"
        settings = {
            **environ(folder, port),
            "SLIPGATE_PUBLIC_URL": url,
            "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS": "true",
            "SSL_CERT_FILE": str(trusted),
        }
        gateway = stack.enter_context(
            ForkedChild("gateway", (shared(*FAST_RETRIES),), settings, folder / "gateway.log")
        )
        await asyncio.to_thread(wait_until_ready, url, gateway, seconds=READY_SECONDS)
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=60)
        )
        harness = GatewayHarness(_nowhere, http, keys, Contract())
        lines = [
            await new_line(
                harness, folder / "s.db", each, await stack.enter_async_context(each.listening())
            )
            for each in receivers
        ]
        yield PostStorm(
            harness=harness,
            gateway=gateway,
            url=url,
            database=folder / "s.db",
            lines=lines,
            random=random.Random(seed),
            log=log,
        )


async def new_line(
    harness: GatewayHarness, database: Location, receiver: FaultyReceiver, url: str
) -> Line:
    """An endpoint for all events at this receiver."""
    answer = await harness.post("/v1/endpoints", {"url": url}, "ops")
    assert answer.status_code == 201, answer.text
    made = answer.json()
    receiver.secret = secret_bytes(made["secret"])
    account = Account(database, made["id"])
    return Line(endpoint_id=made["id"], receiver=receiver, account=account, since=0)


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """The gateway is another process."""
