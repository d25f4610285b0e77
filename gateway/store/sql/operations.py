"""Operations in the store: master keys and gauges, each gauge from an index that holds nothing
else."""

from typing import Final

from gateway.domain.operations.gauges import Gauges
from gateway.store.sql.connection import Queries
from gateway.store.sql.status import LIVING_COUNTS

ENDED_COUNTS: Final = """
SELECT status, sum(count) FROM task_groups WHERE kind = 'state' AND since = 0 AND count > 0
GROUP BY status"""

FLAG_COUNTS: Final = """
SELECT code, sum(count) FROM task_groups WHERE kind = 'flag' AND count > 0 GROUP BY code"""

UNDELIVERED_COUNTS: Final = """
SELECT 'pending', count(*) FROM deliveries INDEXED BY deliveries_due WHERE status = 'pending'
UNION ALL
SELECT 'held', count(*) FROM deliveries INDEXED BY deliveries_missed WHERE status = 'held'
UNION ALL
SELECT 'dead', count(*) FROM deliveries INDEXED BY deliveries_missed WHERE status = 'dead'"""

# From one endpoint that is owed something to the next, by the index; their number is what it costs.
OLDEST_DUE: Final = """
WITH RECURSIVE owed (endpoint_id) AS (
    SELECT min(endpoint_id) FROM deliveries INDEXED BY deliveries_due WHERE status = 'pending'
    UNION ALL
    SELECT (
        SELECT endpoint_id FROM deliveries INDEXED BY deliveries_due
        WHERE status = 'pending' AND endpoint_id > owed.endpoint_id ORDER BY endpoint_id LIMIT 1)
    FROM owed WHERE owed.endpoint_id IS NOT NULL)
SELECT min((
    SELECT next_attempt_at FROM deliveries INDEXED BY deliveries_due
    WHERE endpoint_id = owed.endpoint_id AND status = 'pending' AND next_attempt_at <= :now
    ORDER BY next_attempt_at LIMIT 1))
FROM owed"""

OLDEST_CLAIMABLE: Final = """
SELECT min(claimable_at) FROM tasks INDEXED BY tasks_claimable
WHERE claimable_at IS NOT NULL AND claimable_at <= :now AND is_behind = 0"""

# One that an operator has disabled is no problem.
ENDPOINT_COUNTS: Final = """
SELECT 'failing', count(*) FROM endpoints
WHERE deleted_at IS NULL AND enabled = 1 AND told_at IS NOT NULL
UNION ALL
SELECT 'disabled', count(*) FROM endpoints
WHERE deleted_at IS NULL AND enabled = 0 AND disabled_reason <> 'disabled by ops'"""

PROVIDERS_PAUSED: Final = """
SELECT provider, count(*) FROM pauses
WHERE ended_at IS NULL AND provider <> '' AND (until IS NULL OR until > :now)
GROUP BY provider"""

LIVE_LAUNCHERS: Final = """
SELECT count(*), coalesce(sum(capacity), 0) FROM launchers WHERE called_at >= :since"""


class OperationQueries(Queries):
    """The reads of operations."""

    async def counts(self) -> dict[str, int]:
        """The number of tasks in each state."""
        living = await self._all(LIVING_COUNTS, {"project": None})
        return {row[0]: row[1] for row in (*living, *await self._all(ENDED_COUNTS))}

    async def gauges(self, *, now: int, since: int) -> Gauges:
        flags = {row[0]: row[1] for row in await self._all(FLAG_COUNTS)}
        deliveries = {row[0]: row[1] for row in await self._all(UNDELIVERED_COUNTS)}
        ((oldest_due_at,),) = await self._all(OLDEST_DUE, {"now": now})
        ((oldest_claimable_at,),) = await self._all(OLDEST_CLAIMABLE, {"now": now})
        ((launchers, places),) = await self._all(LIVE_LAUNCHERS, {"since": since})
        return Gauges(
            tasks=await self.counts(),
            flags=flags,
            deliveries=deliveries,
            oldest_due_at=oldest_due_at,
            oldest_claimable_at=oldest_claimable_at,
            endpoints={row[0]: row[1] for row in await self._all(ENDPOINT_COUNTS)},
            providers={row[0]: row[1] for row in await self._all(PROVIDERS_PAUSED, {"now": now})},
            launchers=launchers,
            places=places,
        )
