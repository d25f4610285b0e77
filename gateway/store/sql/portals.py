"""Portals in the store."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

from collections.abc import Sequence
from typing import Final

from gateway.domain.deliveries.portal import CustomerKey, Portal
from gateway.store.batch_loader import BatchLoader
from gateway.store.sql.connection import Connection, Queries
from gateway.store.sql.part import Loading
from gateway.store.sql.rows import PORTAL

PORTALS: Final = f"""
SELECT {PORTAL.of("known")}
FROM json_each(:keys) AS wanted CROSS JOIN portals AS known
    ON known.project = json_extract(wanted.value, '$[0]')
    AND known.customer = json_extract(wanted.value, '$[1]')"""

UPSERT_PORTALS: Final = PORTAL.upsert("portals", "project", "customer")


async def load_portals(loading: Loading) -> None:
    """The portals of these customers."""
    found = await loading.of(PORTALS, loading.wanted.portals, "keys")
    loading.unit.portals.load(map(PORTAL.read, found))


class PortalQueries(Queries):
    """The reads of portals."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._portals = BatchLoader(self._by_customer)

    async def portal(self, project: str, customer: str) -> Portal | None:
        return await self._portals.load((project, customer))

    async def _by_customer(self, keys: Sequence[CustomerKey]) -> dict[CustomerKey, Portal]:
        found = map(PORTAL.read, await self._all(PORTALS, {"keys": list(keys)}))
        return {(portal.project, portal.customer): portal for portal in found}
