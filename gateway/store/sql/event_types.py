"""Event types in the store."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.domain.deliveries.event_type import EventType, EventTypeKey
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.batch_loader import BatchLoader
from gateway.store.sql.connection import Connection, Queries
from gateway.store.sql.part import Loading
from gateway.store.sql.rows import EVENT_TYPE, Params

EVENT_TYPES: Final = f"""
SELECT {EVENT_TYPE.of("known")}
FROM json_each(:keys) AS wanted CROSS JOIN event_types AS known
    ON known.project = json_extract(wanted.value, '$[0]')
    AND known.name = json_extract(wanted.value, '$[1]')"""

EVENT_TYPES_BEHIND: Final = f"""
SELECT {EVENT_TYPE} FROM event_types
WHERE project = :project AND name > :after ORDER BY name LIMIT :limit"""

UPSERT_EVENT_TYPES: Final = EVENT_TYPE.upsert("event_types", "project", "name")

DELETE_EVENT_TYPE: Final = "DELETE FROM event_types WHERE project = :project AND name = :name"


async def load_event_types(loading: Loading) -> None:
    """The types with these names."""
    found = await loading.of(EVENT_TYPES, loading.wanted.event_types, "keys")
    loading.unit.event_types.load(map(EVENT_TYPE.read, found))


def write_event_types(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """Described and deleted types."""
    kinds = unit.event_types
    yield UPSERT_EVENT_TYPES, [*map(EVENT_TYPE.values, kinds.changes)]
    yield DELETE_EVENT_TYPE, [{"project": key[0], "name": key[1]} for key in sorted(kinds.deleted)]


class EventTypeQueries(Queries):
    """The reads of the catalogue."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._kinds = BatchLoader(self._by_key)

    async def event_type(self, project: str, name: str) -> EventType | None:
        return await self._kinds.load((project, name))

    async def event_types(self, project: str, after: str, limit: int) -> list[EventType]:
        given = {"project": project, "after": after, "limit": limit}
        return [*map(EVENT_TYPE.read, await self._all(EVENT_TYPES_BEHIND, given))]

    async def _by_key(self, keys: Sequence[EventTypeKey]) -> dict[EventTypeKey, EventType]:
        found = map(EVENT_TYPE.read, await self._all(EVENT_TYPES, {"keys": list(keys)}))
        return {(kind.project, kind.name): kind for kind in found}
