"""Gateways, launchers and PostgreSQL die at random while tasks are under way; then nothing does."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.cli.local.processes import Child
from gateway.store.location import PostgresAddress
from gateway.store.postgres.admin.audit import audit
from tests.daytona.api import Api
from tests.e2e.arrivals import Span
from tests.e2e.database import UNFINISHED, rows
from tests.e2e.frontend import Followed, Frontend
from tests.e2e.post_storm import Line
from tests.e2e.wait import until
from tests.gateways.fleet import Fleet, Member
from tests.gateways.readers import Reader
from tests.launches import chaos
from tests.launches.chaos import OverlapCounter
from tests.launches.random_faults import RandomFaults
from tests.postgres.cluster import Cluster

AWAY_SECONDS: Final = 1.0
"""The longest absence of a program that was killed, without its start."""
END_SECONDS: Final = 180.0
"""Until everything must be over once nothing fails any more."""
POSTGRES_RESTARTS: Final = 2
FREEZE_SECONDS: Final = (11.0, 14.0)
EVENTS: Final = """
SELECT seq, task_id, task_seq, at FROM events WHERE type NOT LIKE 'endpoint.%' ORDER BY seq"""
"""All events of a feed."""
TASKS: Final = "SELECT id FROM tasks"
OPEN: Final = "SELECT count(*) FROM deliveries WHERE status IN ('pending', 'held')"


@dataclass(frozen=True, kw_only=True)
class Size:
    """The programs of a storm, and its length."""

    seconds: float
    seed: int
    gateways: int = 3
    launchers: int = 2
    customers: int = 8
    endpoints: int = 4
    """With receivers that can be relied on, beside one with a bad one."""
    calm_seconds: tuple[float, float] = (0.2, 1.5)
    """Between two strikes."""
    has_freezes: bool = False
    """True: gateways are also stopped without being killed."""


@dataclass(kw_only=True)
class Strike:
    """Something that was done to a program; seconds of a monotonic clock."""

    kind: str
    at: float
    until: float = float("inf")
    """The moment at which it was whole again."""


@dataclass(kw_only=True)
class Storm:
    """Seeded; the machine's own timing is not."""

    size: Size
    database: PostgresAddress
    cluster: Cluster
    fleet: Fleet
    launchers: list[Child]
    frontend: Frontend
    api: Api
    faults: RandomFaults
    lines: Sequence[Line]
    readers: Sequence[Reader]
    random: random.Random
    log: Callable[[str], None]
    orders: list[Followed] = field(default_factory=list)
    strikes: list[Strike] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    _is_over: bool = False

    async def rage(self) -> None:
        """Returns when everything is over; raises `TimeoutError` if something does not end."""
        async with asyncio.TaskGroup() as group:
            following = [group.create_task(reader.follow()) for reader in self.readers]
            customers = [group.create_task(self._customer()) for _ in range(self.size.customers)]
            enabling = group.create_task(self._enable())
            await self._strike()
            self._is_over = True
            self._calm()
            async with asyncio.timeout(END_SECONDS):
                await asyncio.wait(customers)
            await self._until(lambda: not rows(self.database, UNFINISHED), "all tasks to end")
            await self._until(lambda: not self.api.organisation.living(), "all sandboxes to go")
            await self._until(lambda: rows(self.database, OPEN)[0][0] == 0, "the rest to arrive")
            newest = rows(self.database, EVENTS)[-1][0]
            await self._until(
                lambda: all(reader.cursor >= newest for reader in self.readers),
                "all readers to have read it all",
            )
            for each in (*following, enabling):
                each.cancel()

    def problems(self) -> list[str]:
        """Everything that is not as promised."""
        events = [seq for seq, *_ in rows(self.database, EVENTS)]
        stored = {task_id for (task_id,) in rows(self.database, TASKS)}
        acknowledged = {order.id for order in self.orders}
        outages = [(strike.at, strike.until) for strike in self.strikes]
        organisation = self.api.organisation
        doubles = organisation.doubles if isinstance(organisation, OverlapCounter) else 0
        return [
            *map(str, audit(self.database.url).problems),
            *(f"{task_id} was acknowledged and is lost" for task_id in acknowledged - stored),
            *(f"{task_id} was made twice" for task_id in stored - acknowledged),
            *([f"{doubles} doubled sandboxes"] if doubles else []),
            *(problem for reader in self.readers for problem in reader.problems(events)),
            *(problem for line in self.lines for problem in self._of_line(line, outages)),
        ]

    def _of_line(self, line: Line, outages: Sequence[Span]) -> list[str]:
        found = line.account.problems(line.receiver.arrivals, outages, since=line.since)
        if line.receiver.forged:
            found.append(f"{line.receiver.forged} forged webhooks")
        return found

    async def _until(self, is_true: Callable[[], bool], what: str) -> None:
        await until(is_true, what, seconds=END_SECONDS)

    async def _customer(self) -> None:
        while not self._is_over:
            task = await self.frontend.create(
                callbackUrl=None, snapshot=chaos.SNAPSHOT, maxAttempts=20
            )
            self.orders.append(task)
            shown = await task.until_over(seconds=END_SECONDS)
            self.statuses[shown["status"]] += 1

    async def _enable(self) -> None:
        """An operator who enables again what a 410 has disabled."""
        while True:
            for line in self.lines:
                path = f"/v1/endpoints/{line.endpoint_id}"
                shown = await self.frontend.call("GET", path)
                if shown.is_success and not shown.json()["enabled"]:
                    await self.frontend.call("POST", f"{path}/enable")
            await asyncio.sleep(0.5)

    async def _strike(self) -> None:
        """Strikes until the time is over, PostgreSQL at even intervals; then all are back."""
        began = time.monotonic()
        length = self.size.seconds / (POSTGRES_RESTARTS + 1)
        async with asyncio.TaskGroup() as group:
            for restart in range(1, POSTGRES_RESTARTS + 2):
                while time.monotonic() < began + restart * length:
                    await asyncio.sleep(self.random.uniform(*self.size.calm_seconds))
                    self._hit(group)
                if restart <= POSTGRES_RESTARTS:
                    await self._do("postgres", self._restart_postgres())

    def _hit(self, group: asyncio.TaskGroup) -> None:
        """Strikes a gateway or a launcher; one gateway at least is left alone."""
        kinds = [
            "gateway",
            "gateway",
            "gateway",
            "launcher",
            *(["freeze"] if self.size.has_freezes else []),
        ]
        kind = self.random.choice(kinds)
        up = self.fleet.up()
        if kind == "launcher":
            group.create_task(self._do(kind, self._kill_launcher()))
        elif len(up) > 1:
            member = self.random.choice(up)
            member.is_up = False
            group.create_task(self._do(kind, self._hurt(kind, member)))

    async def _hurt(self, kind: str, member: Member) -> None:
        if kind == "freeze":
            await self.fleet.freeze(member, seconds=self.random.uniform(*FREEZE_SECONDS))
        else:
            await self.fleet.kill(member, away=self.random.uniform(0, AWAY_SECONDS))

    async def _kill_launcher(self) -> None:
        victim = self.random.choice(self.launchers)
        await asyncio.to_thread(victim.kill)
        victim.start()

    async def _restart_postgres(self) -> None:
        await asyncio.to_thread(self.cluster.kill)
        await asyncio.sleep(self.random.uniform(0, AWAY_SECONDS))
        await asyncio.to_thread(self.cluster.start)

    async def _do(self, kind: str, doing: Awaitable[None]) -> None:
        strike = Strike(kind=kind, at=time.monotonic())
        self.strikes.append(strike)
        self.log(f"strike {kind}")
        await doing
        strike.until = time.monotonic()

    def _calm(self) -> None:
        self.faults.stop()
        for line in self.lines:
            line.receiver.calm_down()
            line.receiver.takes_all = True
