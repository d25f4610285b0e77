"""What is asked of endpoints, their secrets and their replays."""

from typing import Final

from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.deliveries.replay import Replay
from gateway.domain.kernel.sealing import Sealed
from gateway.store.sqlite import rows
from gateway.store.sqlite.deliveries import Query
from gateway.store.sqlite.endpoints import ENDPOINT_COLUMNS, REPLAY_COLUMNS, RUNNING_REPLAYS

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

ENDPOINT: Final = f"""
SELECT {ENDPOINT_COLUMNS} FROM endpoints WHERE id = :id AND deleted_at IS NULL"""

ENDPOINTS_BEFORE: Final = f"""
SELECT {ENDPOINT_COLUMNS} FROM endpoints
WHERE deleted_at IS NULL AND (:project IS NULL OR project = :project)
  AND (created_at, id) < (:at, :id)
ORDER BY created_at DESC, id DESC LIMIT :limit"""

SECRETS_NAMED: Final = "SELECT key_id, secret FROM signing_secrets WHERE id = :id"

REPLAY: Final = f"SELECT {REPLAY_COLUMNS} FROM replays WHERE id = :id"

PENDING_OF: Final = """
SELECT count(*) FROM (
    SELECT 1 FROM deliveries INDEXED BY deliveries_lane
    WHERE endpoint_id = :endpoint_id AND status = 'pending' LIMIT :most)"""

EVENT_FROM: Final = "SELECT seq, at FROM events WHERE seq >= :seq ORDER BY seq LIMIT 1"

NEWEST_SEQ: Final = "SELECT seq FROM ledger"


class EndpointReads:
    """Everything about endpoints that is asked without being changed."""

    def __init__(self, query: Query) -> None:
        self._query = query

    async def find(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint, unless it was deleted."""
        found = await self._query(ENDPOINT, {"id": endpoint_id})
        return next(map(rows.endpoint_from_row, found), None)

    async def before(
        self, project: str | None, at: int, endpoint_id: str, limit: int
    ) -> list[Endpoint]:
        """Endpoints made before one that was made at that moment (milliseconds), newest first; of
        all projects for None."""
        given = {"project": project, "at": at, "id": endpoint_id, "limit": limit}
        return [*map(rows.endpoint_from_row, await self._query(ENDPOINTS_BEFORE, given))]

    async def secret(self, secret_id: str) -> Sealed | None:
        """A secret as it is kept, if it still is."""
        for key_id, box in await self._query(SECRETS_NAMED, {"id": secret_id}):
            return Sealed(key_id=key_id, box=box)
        return None

    async def replay(self, replay_id: str) -> Replay | None:
        """A job as it stands."""
        found = await self._query(REPLAY, {"id": replay_id})
        return next(map(rows.replay_from_row, found), None)

    async def running_replays(self) -> list[Replay]:
        """The jobs that are not done."""
        return [*map(rows.replay_from_row, await self._query(RUNNING_REPLAYS, {}))]

    async def pending_of(self, endpoint_id: str, most: int) -> int:
        """How many of its deliveries are pending, counted to so many."""
        for row in await self._query(PENDING_OF, {"endpoint_id": endpoint_id, "most": most}):
            return int(row[0])
        return 0

    async def last_before(self, moment: int) -> int:
        """The number of the last event that is older than this moment (milliseconds)."""
        low, high = 0, 0
        for row in await self._query(NEWEST_SEQ, {}):
            high = int(row[0])
        # Numbers grow with time, of which there is no index: 20 looks find one in a million.
        while low < high:
            middle = (low + high + 1) // 2
            found = [*await self._query(EVENT_FROM, {"seq": middle})]
            if found and found[0][1] < moment:
                low = max(middle, found[0][0])
            else:
                high = middle - 1
        return low
