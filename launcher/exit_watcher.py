"""Reports agents' processes that have ended.

A provider that can list them cheaply is polled; without that an agent that died at once would
count as running until its heartbeat is missed.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Final

from structlog.typing import FilteringBoundLogger

from gateway.wire.launcher import Ended, EndedSandbox
from launcher.client import GatewayRejected, GatewayUnreachable
from launcher.jobs.context import LauncherContext
from launcher.providers.protocol import ProviderError, ReportsExits

POLL_SECONDS: Final = 1.0
AT_A_TIME: Final = 500
EXPECTED: Final = (ProviderError, GatewayRejected, GatewayUnreachable)


@dataclass
class ExitWatcher:
    """Reports each exit once; the first step reports those from before this launcher started."""

    context: LauncherContext
    _: KW_ONLY
    launcher_id: str
    log: FilteringBoundLogger
    is_being_created: Callable[[str], bool] = lambda _: False
    """True for a sandbox that the gateway does not know yet."""
    _reported: frozenset[EndedSandbox] = field(default=frozenset(), init=False)
    _last_error: str = field(default="", init=False)

    @cached_property
    def _providers(self) -> list[ReportsExits]:
        return [each for each in self.context.providers if isinstance(each, ReportsExits)]

    async def run(self) -> None:
        """Polls until it is cancelled; returns if no provider reports exits."""
        while self._providers:
            await self.step()
            await self.context.sleep(POLL_SECONDS)

    async def step(self) -> None:
        try:
            seen = await self._ended()
            new = [each for each in seen - self._reported if not self.is_being_created(each.name)]
            for start in range(0, len(new), AT_A_TIME):
                sandboxes = tuple(new[start : start + AT_A_TIME])
                ended = Ended(launcher_id=self.launcher_id, sandboxes=sandboxes)
                await self.context.client.ended(ended)
        except Exception as error:  # noqa: BLE001 - the top of a loop: jobs run beside it
            self._warn_once(error)
        else:
            self._reported = (self._reported & seen) | frozenset(new)
            self._last_error = ""

    async def _ended(self) -> frozenset[EndedSandbox]:
        sandboxes = {
            EndedSandbox(
                instance_id=key.instance, name=key.name, provider=each.name, realm=each.realm
            )
            for each in self._providers
            for key in await each.ended()
        }
        return frozenset(sandboxes)

    def _warn_once(self, error: Exception) -> None:
        if str(error) != self._last_error:
            more = {} if isinstance(error, EXPECTED) else {"exc_info": error}
            self.log.warning("watch", reason=str(error), **more)
        self._last_error = str(error)
