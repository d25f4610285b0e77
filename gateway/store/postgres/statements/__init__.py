"""Statements that PostgreSQL needs in other words than the shared ones."""

from collections.abc import Mapping
from typing import Final

from gateway.store.postgres.statements import claims, lanes, sources, task_list, tasks

OWN: Final[Mapping[str, str]] = {
    **claims.OWN,
    **lanes.OWN,
    **sources.OWN,
    **task_list.OWN,
    **tasks.OWN,
}
"""Its own statements, by the shared ones that they stand for."""
