"""Feeds in PostgreSQL's own words."""

from collections.abc import Mapping
from typing import Final

from gateway.store.sql import events

# Without LIMIT it is a join, for which the planner may read all tasks.
_TASK: Final = """LATERAL (
    SELECT id, project FROM tasks WHERE id = event.task_id LIMIT 1) AS task ON true"""

OWN: Final[Mapping[str, str]] = {
    events.EVENTS_OF_PROJECT: events.EVENTS_OF_PROJECT.replace(
        "tasks AS task ON task.id = event.task_id", _TASK
    ),
}
