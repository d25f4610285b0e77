"""The one runner of all loops: steps, waits for a notification or the time, logs failures."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from gateway.domain.kernel.errors import Unavailable
from gateway.notifier import Listener, Notifier
from gateway.store.ownership import Ownership

log = structlog.get_logger(__name__)

LONGEST_WAIT: Final = 5.0
"""Seconds; a lost notification or a moved wall clock costs no more than this."""
LEADER_AGAIN: Final = 1.0
"""Seconds until a gateway that does not lead looks whether it does now."""
FIRST_BACKOFF: Final = 0.5
"""Seconds after a first failed step; doubled for each further one."""
STALLED_AFTER: Final = 60.0
"""Seconds without the end of a step after which a loop no longer counts as moving."""


class Loop(Protocol):
    """Work that comes due by itself."""

    @property
    def name(self) -> str:
        """The name in logs and `/healthz`."""

    @property
    def topics(self) -> tuple[str, ...]:
        """Notifications that mean there may be work."""

    async def step(self) -> float:
        """Do what is due; returns the seconds until there is work again."""


class LeaderLoop:
    """A loop that one gateway runs for all of a database; elsewhere its steps do nothing."""

    def __init__(self, loop: Loop, ownership: Ownership) -> None:
        self.name = loop.name
        self.topics = loop.topics
        self._loop = loop
        self._ownership = ownership

    async def step(self) -> float:
        """A step of the loop, if this gateway is the leader; returns the seconds until the next."""
        return await self._loop.step() if self._ownership.is_leader else LEADER_AGAIN


class Runner:
    """Runs one loop until it is stopped."""

    def __init__(
        self,
        loop: Loop,
        notifier: Notifier,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        longest_wait: float = LONGEST_WAIT,
    ) -> None:
        self._loop = loop
        self._notifier = notifier
        self._monotonic = monotonic
        self._longest_wait = longest_wait
        self._listener: Listener | None = None
        self._stopping = False
        self._failures = 0
        self.failed_steps = 0
        """Since the start."""
        self._moved_at = monotonic()

    @property
    def name(self) -> str:
        """The loop's name."""
        return self._loop.name

    @property
    def is_moving(self) -> bool:
        """True if a step has ended within the last minute."""
        return self.seconds_since_step < STALLED_AFTER

    @property
    def seconds_since_step(self) -> float:
        """Seconds since the end of its last step."""
        return self._monotonic() - self._moved_at

    def stop(self) -> None:
        """Ends the loop after its current step. Safe before the start, and twice."""
        self._stopping = True
        if self._listener is not None:
            self._listener.notify()

    async def run(self) -> None:
        """Steps until stopped. A failed step is logged and tried again, ever more slowly."""
        with self._notifier.listen(*self._loop.topics) as self._listener:
            while not self._stopping:
                seconds = await self._step()
                if seconds > 0:
                    await self._listener.wait(min(seconds, self._longest_wait))
                else:
                    await asyncio.sleep(0)

    async def _step(self) -> float:
        try:
            seconds = await self._loop.step()
        except Unavailable as exc:
            # The store's trouble and not the loop's: it moves, and no restart would help.
            self._moved_at = self._monotonic()
            log.warning("loop.unavailable", loop=self.name, detail=exc.detail)
        except Exception:
            log.exception("loop.failed", loop=self.name, failures=self._failures + 1)
        else:
            self._failures = 0
            self._moved_at = self._monotonic()
            return seconds
        self._failures += 1
        self.failed_steps += 1
        return float(FIRST_BACKOFF * 2 ** min(self._failures - 1, 6))
