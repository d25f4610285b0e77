"""Switches in the store: the periods in which something was paused."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

from typing import Final

from gateway.domain.operations.switches import Pause, PauseKey
from gateway.store.sql.connection import Connection, Queries
from gateway.store.sql.rows import PAUSE

# Those that may last, and the earlier ones of launching, in which queue clocks stood still.
PAUSES: Final = f"SELECT {PAUSE} FROM pauses WHERE switch = 'launching' OR ended_at IS NULL"

PAUSES_OPEN: Final = f"SELECT {PAUSE} FROM pauses WHERE ended_at IS NULL ORDER BY since, switch"

UPSERT_PAUSES: Final = PAUSE.upsert("pauses", "switch", "project", "provider", "since")

DELETE_OLD_PAUSES: Final = """
DELETE FROM pauses WHERE (switch, project, provider, since) IN (
    SELECT switch, project, provider, since FROM pauses
    WHERE coalesce(ended_at, until) <= :before LIMIT 500)"""


async def read_pauses(connection: Connection) -> dict[PauseKey, Pause]:
    """The pauses that rules look at."""
    found = map(PAUSE.read, await connection.fetch(PAUSES))
    return {pause.key: pause for pause in found}


class SwitchQueries(Queries):
    """The reads of switches."""

    async def pauses(self, now: int) -> list[Pause]:
        found = map(PAUSE.read, await self._all(PAUSES_OPEN))
        return [pause for pause in found if pause.is_on(now)]
