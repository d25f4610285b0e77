"""Discovery: the endpoints with undelivered messages, and when they come due."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from typing import Final

import structlog

from gateway.domain.kernel.errors import Unavailable
from gateway.loops.deliveries.admission import Limits
from gateway.loops.deliveries.due_queue import DueQueue
from gateway.loops.deliveries.post import is_charged
from gateway.notifier import Notifier
from gateway.store.loop_reads import OutboxReads
from gateway.store.ownership import ALONE, Ownership
from gateway.store.records import DeliveryFailure

log = structlog.get_logger(__name__)

PAGE: Final = 1_000
"""Endpoints that one step reads."""
SCAN_EVERY: Final = 5_000
"""Milliseconds between two scans of everything undelivered: they find what nobody handed over, or
what was changed by hand."""


class Discovery:
    """Puts endpoints into the queue of what is due, and the breakers of those that fail into the
    limits."""

    topic = "endpoints"
    """Announces what only a scan finds."""

    def __init__(
        self,
        reads: OutboxReads,
        notifier: Notifier,
        limits: Limits,
        due: DueQueue,
        ownership: Ownership = ALONE,
    ) -> None:
        self._ownership = ownership
        self._owned = ownership.version
        self._reads = reads
        self._notifier = notifier
        self._limits = limits
        self._due = due
        self._numbers = count(1)
        self._unread: dict[str, int] = {}
        """Endpoints that may have pending deliveries which are not under way; with the number of
        the last time this was found."""
        self._invalidated = 0
        """The number at which it last became unknown what is pending."""
        self._scanned = 0
        """The number of the last scan that came to its end."""
        self._scanned_to: str | None = ""
        """The last endpoint of the scan so far; None between two scans."""
        self._scan_began_at = -SCAN_EVERY
        self._scan_number = 0
        self._version = 0
        self._has_restored = False

    async def refresh(self, now: int) -> bool:
        """Find by a scan what no commit has handed over. True: there is more to read at once."""
        if self._owned != self._ownership.version:
            self._begin_anew()
        if not self._has_restored:
            self._restore(await self._failures())
        version = self._notifier.version(self.topic)
        is_wanted = version != self._version or self._scanned < self._invalidated
        # A clock that was set back must not silence it until it has caught up.
        is_due = not 0 <= now - self._scan_began_at < SCAN_EVERY
        if self._scanned_to is None and (is_wanted or is_due):
            self._scanned_to = ""
        if self._scanned_to == "":
            self._version, self._scan_began_at = version, now
            self._scan_number = next(self._numbers)
            await self._refresh_limiters(now)
        if self._scanned_to is not None:
            self._scanned_to = await self._scan(self._scanned_to)
            if self._scanned_to is None:
                self._drop_cleared()
                self._scanned = self._scan_number
        return self._scanned_to is not None

    def _begin_anew(self) -> None:
        """Endpoints came, of which only the store knows, or went."""
        self._owned = self._ownership.version
        self._limits.drop(self._ownership.owns)
        self._has_restored = False
        self._scanned_to = ""
        self.invalidate()

    def invalidate(self) -> None:
        """Something may be pending that nobody has handed over: only a scan that begins now can
        tell."""
        self._invalidated = next(self._numbers)

    async def _scan(self, after: str) -> str | None:
        """Read one page; returns its last endpoint, None at the end."""
        found = await self._reads.pending_endpoints(after, PAGE)
        for each in found:
            if not self._ownership.owns(each.endpoint_id):
                continue
            self.mark(each.endpoint_id)
            if each.at is not None:
                self.add(each.project, each.endpoint_id, each.at)
        return found[-1].endpoint_id if len(found) == PAGE else None

    def _drop_cleared(self) -> None:
        """Forget the endpoints of which a whole scan has found nothing pending: a disabled or
        deleted one is never read, and nothing else would clear it."""
        found = {name: n for name, n in self._unread.items() if n > self._scan_number}
        self._unread = found

    async def _failures(self) -> Sequence[DeliveryFailure]:
        try:
            return await self._reads.failures()
        except Unavailable:
            raise
        except Exception:
            log.exception("delivery.failures_unreadable")
            return ()

    def add(self, project: str, endpoint_id: str, at: int) -> None:
        """The endpoint has something that is not under way, due at `at` (milliseconds)."""
        self.mark(endpoint_id)
        self.look_again(project, endpoint_id, at)

    def look_again(self, project: str, endpoint_id: str, at: int) -> None:
        """Read the endpoint at `at`, if it may have something that is not under way."""
        if not self.is_clear(endpoint_id):
            self._due.add((project, self._limits.is_proven(endpoint_id)), endpoint_id, at)

    def mark(self, endpoint_id: str) -> None:
        """The endpoint may have something that is not under way."""
        self._unread[endpoint_id] = next(self._numbers)

    def begin_read(self) -> int:
        """The number of a read of endpoints."""
        return next(self._numbers)

    def clear(self, endpoint_id: str, read: int) -> None:
        """All that this read has found of the endpoint is under way."""
        if self._unread.get(endpoint_id, 0) < read:
            self._unread.pop(endpoint_id, None)

    def is_clear(self, endpoint_id: str) -> bool:
        """True if all of its pending deliveries are under way: a new one is the head of its lane,
        unless that has an attempt. Of endpoints that have just come, only a scan can tell."""
        has_scanned = self._scanned > self._invalidated
        is_known = has_scanned and self._owned == self._ownership.version
        return is_known and endpoint_id not in self._unread

    async def _refresh_limiters(self, now: int) -> None:
        """Try a changed endpoint at once."""
        self._limits.drop_idle(now)
        broken = self._limits.open_breakers()
        for name, at in (await self._reads.changed_at(broken)).items() if broken else ():
            limiter = self._limits.endpoint(name)
            if limiter.breaker_open and at > limiter.opened_at:
                limiter.reset()

    def _restore(self, failures: Sequence[DeliveryFailure]) -> None:
        """After a start, or when endpoints come: the breakers of those that fail, and are not
        known here yet."""
        self._has_restored = True
        failed: defaultdict[str, list[DeliveryFailure]] = defaultdict(list)
        for each in failures:
            if is_charged(each.reason) and self._is_unknown(each.endpoint_id):
                failed[each.endpoint_id].append(each)
        for name, of_endpoint in failed.items():
            at = [each.at for each in of_endpoint]
            self._limits.endpoint(name).restore(at, of_endpoint[-1].failing_since)

    def _is_unknown(self, endpoint_id: str) -> bool:
        return self._ownership.owns(endpoint_id) and not self._limits.knows(endpoint_id)
