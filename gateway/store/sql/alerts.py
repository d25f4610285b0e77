"""Alerts in the store."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

from typing import Final

from gateway.domain.operations.alert import Alert
from gateway.store.sql.connection import Queries
from gateway.store.sql.part import Loading
from gateway.store.sql.rows import ALERT

ALERTS: Final = f"SELECT {ALERT} FROM alerts ORDER BY id"

UPSERT_ALERTS: Final = ALERT.upsert("alerts", "id")


async def load_alerts(loading: Loading) -> None:
    """All of them."""
    loading.unit.alerts.load(map(ALERT.read, await loading.all(ALERTS)))


class AlertQueries(Queries):
    """The reads of alerts."""

    async def alerts(self) -> dict[str, Alert]:
        found = map(ALERT.read, await self._all(ALERTS))
        return {alert.id: alert for alert in found}
