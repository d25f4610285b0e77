"""Tells the gateway of processes that have ended, as soon as that can be seen.

A provider that holds its agents' processes is asked every second or two; without that an agent
that died at once would count as running until its heartbeat is missed.
"""

from collections.abc import Callable
from typing import Final

from structlog.typing import FilteringBoundLogger

from gateway.wire.launcher import EndedSandbox
from launcher.client import GatewayRejected, GatewayUnreachable
from launcher.jobs.context import LauncherContext
from launcher.providers.protocol import ProviderError, ReportsExits

POLL_SECONDS: Final = 1.0
AT_A_TIME: Final = 500


class ExitWatcher:
    """Remembers what it has told; the first look tells what ended before this launcher began."""

    def __init__(
        self,
        context: LauncherContext,
        *,
        launcher_id: str,
        log: FilteringBoundLogger,
        is_being_created: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """`is_in_work` knows the names of sandboxes that are being made: the gateway would not
        know yet what it is told of them."""
        self._site = context
        self._holders = [each for each in context.providers if isinstance(each, ReportsExits)]
        self._id = launcher_id
        self._log = log
        self._is_in_work = is_being_created
        self._reported: frozenset[EndedSandbox] = frozenset()
        self._trouble = ""

    async def run(self) -> None:
        """Looks until it is cancelled; at once over where no provider holds processes."""
        while self._holders:
            await self.step()
            await self._site.sleep(POLL_SECONDS)

    async def step(self) -> None:
        """One look at every provider, and one report if there is something new."""
        try:
            seen = await self._ended()
            new = [each for each in seen - self._reported if not self._is_in_work(each.name)]
            for start in range(0, len(new), AT_A_TIME):
                await self._site.client.ended(self._id, tuple(new[start : start + AT_A_TIME]))
        except (ProviderError, GatewayRejected, GatewayUnreachable) as error:
            self._complain(str(error))
        else:
            self._reported = (self._reported & seen) | frozenset(new)
            self._trouble = ""

    async def _ended(self) -> frozenset[EndedSandbox]:
        found: set[EndedSandbox] = set()
        for holder in self._holders:
            where = {"provider": holder.name, "realm": holder.realm}
            keys = await holder.ended()
            found |= {EndedSandbox(instance_id=k.instance, name=k.name, **where) for k in keys}
        return frozenset(found)

    def _complain(self, problem: str) -> None:
        """Once, for as long as it is the same."""
        if problem != self._trouble:
            self._log.warning("watch", reason=problem)
        self._trouble = problem
