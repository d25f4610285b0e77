"""Gateways as processes behind a balancer: killed, frozen, and started again by a supervisor."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.cli.console.output import CommandFailed
from gateway.cli.local.processes import Child, wait_until_ready
from tests.app.processes import environ
from tests.e2e.post_storm import FAST_RETRIES
from tests.forks.children import ForkedChild
from tests.forks.programs import shared
from tests.gateways.balancer import Balancer
from tests.ports import reserved_port

READY_SECONDS: Final = 60.0
MODULE: Final = FAST_RETRIES[1].partition(":")[0]


@dataclass(kw_only=True)
class Member:
    """One gateway of several."""

    child: Child
    port: int
    is_up: bool = False

    @property
    def url(self) -> str:
        """The gateway's own address."""
        return f"http://127.0.0.1:{self.port}"


class Fleet:
    """All gateways of one database."""

    def __init__(self, members: list[Member], balancer: Balancer) -> None:
        self.members = members
        self.failed_starts = 0
        self._balancer = balancer

    def up(self) -> list[Member]:
        """All that nothing is being done to."""
        return [each for each in self.members if each.is_up]

    async def start(self, member: Member) -> None:
        """Starts it, again if it ends before it is ready, and takes it into rotation."""
        while True:
            member.child.start()
            try:
                await asyncio.to_thread(
                    wait_until_ready, member.url, member.child, seconds=READY_SECONDS
                )
            except CommandFailed:
                if member.child.exit_code is None:
                    raise
                self.failed_starts += 1
            else:
                break
        self._add(member)

    async def kill(self, member: Member, *, away: float) -> None:
        """kill -9, and its return after `away` seconds."""
        member.is_up = False
        await asyncio.to_thread(member.child.kill)
        self._balancer.remove(member.port)
        await asyncio.sleep(away)
        await self.start(member)

    async def freeze(self, member: Member, *, seconds: float) -> None:
        """Stands still that long, as a machine that swaps or a paused container."""
        member.is_up = False
        os.kill(member.child.pid, signal.SIGSTOP)
        self._balancer.remove(member.port)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(member.child.pid, signal.SIGCONT)
        self._add(member)

    def _add(self, member: Member) -> None:
        member.is_up = True
        self._balancer.add(member.port)


@contextmanager
def fleet(
    folder: Path,
    settings: Mapping[str, str],
    balancer: Balancer,
    *,
    gateways: int,
    are_forks: bool,
) -> Iterator[Fleet]:
    """Gateways that have not been started; a fork starts quickly and cannot be frozen."""
    with ExitStack() as stack:
        members = []
        for number in range(gateways):
            port = stack.enter_context(reserved_port())
            given = {**environ(folder, port), **settings}
            log = folder / f"gateway-{number}.log"
            child = _fork(given, log) if are_forks else _process(given, log)
            stack.callback(child.stop)
            members.append(Member(child=child, port=port))
        yield Fleet(members, balancer)


def _fork(settings: Mapping[str, str], log: Path) -> Child:
    return ForkedChild("gateway", (shared(*FAST_RETRIES),), settings, log)


def _process(settings: Mapping[str, str], log: Path) -> Child:
    return Child("gateway", (sys.executable, "-m", MODULE), settings, log)
