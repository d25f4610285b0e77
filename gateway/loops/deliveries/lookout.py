"""The lookout: learns which endpoints are owed something, and when."""

from collections.abc import Sequence
from typing import Final

import structlog

from gateway.domain.deliveries.outbox import DeliveryKey
from gateway.domain.kernel.errors import Unavailable
from gateway.loops.deliveries.agenda import Agenda
from gateway.loops.deliveries.limits import Limits
from gateway.loops.deliveries.outbox import Failure, OutboxReads
from gateway.loops.deliveries.post import is_charged
from gateway.notifier import Notifier

log = structlog.get_logger(__name__)

PAGE: Final = 1_000
"""Endpoints, or new deliveries, of which one look learns."""
ROUND: Final = 5_000
"""Milliseconds between two rounds through everything that is owed: what no hint told of, or was
changed by hand, is found by them."""


class Lookout:
    """Notes them in the agenda, and what it learns of endpoints in the limits."""

    topic = "endpoints"
    """The hint of what is found by a round alone."""

    def __init__(
        self, reads: OutboxReads, notifier: Notifier, limits: Limits, agenda: Agenda
    ) -> None:
        self._reads = reads
        self._notifier = notifier
        self._limits = limits
        self._agenda = agenda
        self._newest: DeliveryKey | None = None
        self._place: str | None = ""
        """How far the round has come; None: it is over."""
        self._round_at = 0
        self._told = 0
        self._has_restored = False

    async def learn(self, now: int) -> bool:
        """New deliveries are found behind the newest one that is known, all others by a round.
        True: there is more to learn at once."""
        if not self._has_restored:
            self._restore(await self._failures())
        if self._newest is None:
            self._newest = ("", await self._reads.newest_event() + 1)
        told = self._notifier.version(self.topic)
        if self._place is None and (told != self._told or now >= self._round_at):
            self._place = ""
        if self._place == "":
            self._told, self._round_at = told, now + ROUND
            await self._refresh_limiters(now)
        if self._place is not None:
            self._place = await self._go_round(self._place)
        new = await self._reads.new_deliveries(self._newest, PAGE)
        for (endpoint_id, seq), project in new:
            self._newest = (endpoint_id, seq)
            self.note(project, endpoint_id, now)
        return len(new) == PAGE or self._place is not None

    async def _go_round(self, place: str) -> str | None:
        """How far it has come; None: it is over."""
        owed = await self._reads.owed_endpoints(place, PAGE)
        for each in owed:
            if each.at is not None:
                self.note(each.project, each.endpoint_id, each.at)
        return owed[-1].endpoint_id if len(owed) == PAGE else None

    async def _failures(self) -> Sequence[Failure]:
        try:
            return await self._reads.failures()
        except Unavailable:
            raise
        except Exception:
            log.exception("delivery.failures_unreadable")
            return ()

    def note(self, project: str, endpoint_id: str, at: int) -> None:
        """Something is owed to it, due then (milliseconds)."""
        self._agenda.note((project, self._limits.is_proven(endpoint_id)), endpoint_id, at)

    async def _refresh_limiters(self, now: int) -> None:
        """What somebody has changed is tried at once."""
        self._limits.forget(now)
        broken = self._limits.open_breakers()
        for name, at in (await self._reads.changed_at(broken)).items() if broken else ():
            limiter = self._limits.endpoint(name)
            if limiter.breaker_open and at > limiter.opened_at:
                limiter.reset()

    def _restore(self, failures: Sequence[Failure]) -> None:
        """Those that fail are known from the start."""
        self._has_restored = True
        charged = [each for each in failures if is_charged(each.reason)]
        for name, since in {each.endpoint_id: each.failing_since for each in charged}.items():
            at = [each.at for each in charged if each.endpoint_id == name]
            self._limits.endpoint(name).restore(at, since)
