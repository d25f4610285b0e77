"""Tells the gateway of processes that have ended, as soon as that can be seen.

A provider that holds its agents' processes is asked every second or two; without that an agent
that died at once would count as running until its heartbeat is missed.
"""

from collections.abc import Callable
from typing import Final

from structlog.typing import FilteringBoundLogger

from gateway.wire.launcher import EndedSandbox
from launcher.client import Refused, Unreachable
from launcher.jobs.context import Site
from launcher.providers.protocol import HoldsProcesses, ProviderError

LOOK_SECONDS: Final = 1.0
AT_A_TIME: Final = 500


class Watch:
    """Remembers what it has told; the first look tells what ended before this launcher began."""

    def __init__(
        self,
        site: Site,
        *,
        launcher_id: str,
        log: FilteringBoundLogger,
        is_in_work: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """`is_in_work` knows the names of sandboxes that are being made: the gateway would not
        know yet what it is told of them."""
        self._site = site
        self._holders = [each for each in site.providers if isinstance(each, HoldsProcesses)]
        self._id = launcher_id
        self._log = log
        self._is_in_work = is_in_work
        self._told: frozenset[EndedSandbox] = frozenset()
        self._trouble = ""

    async def run(self) -> None:
        """Looks until it is cancelled; at once over where no provider holds processes."""
        while self._holders:
            await self.step()
            await self._site.sleep(LOOK_SECONDS)

    async def step(self) -> None:
        """One look at every provider, and one report if there is something new."""
        try:
            seen = await self._ended()
            new = [each for each in seen - self._told if not self._is_in_work(each.name)]
            for start in range(0, len(new), AT_A_TIME):
                await self._site.client.ended(self._id, tuple(new[start : start + AT_A_TIME]))
        except (ProviderError, Refused, Unreachable) as error:
            self._complain(str(error))
        else:
            self._told = (self._told & seen) | frozenset(new)
            self._trouble = ""

    async def _ended(self) -> frozenset[EndedSandbox]:
        found: set[EndedSandbox] = set()
        for holder in self._holders:
            where = {"provider": holder.name, "realm": holder.realm}
            keys = await holder.ended()
            found |= {EndedSandbox(instance_id=k.instance, name=k.name, **where) for k in keys}
        return frozenset(found)

    def _complain(self, trouble: str) -> None:
        """Once, for as long as it is the same."""
        if trouble != self._trouble:
            self._log.warning("watch", reason=trouble)
        self._trouble = trouble
