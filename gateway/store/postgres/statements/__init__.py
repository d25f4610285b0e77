"""Statements that PostgreSQL needs in other words than the shared ones."""

from collections.abc import Mapping
from typing import Final

from gateway.store.postgres.statements import (
    claims,
    deliveries,
    events,
    history,
    lanes,
    pruning,
    sources,
    status,
    task_list,
    tasks,
)

OWN: Final[Mapping[str, str]] = {
    **claims.OWN,
    **deliveries.OWN,
    **events.OWN,
    **history.OWN,
    **lanes.OWN,
    **pruning.OWN,
    **sources.OWN,
    **status.OWN,
    **task_list.OWN,
    **tasks.OWN,
}
"""Its own statements, by the shared ones that they stand for."""
