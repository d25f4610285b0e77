"""Reads of tasks in PostgreSQL's own words."""

from collections.abc import Mapping
from typing import Final

from gateway.store.sql import tasks

OWN: Final[Mapping[str, str]] = {
    tasks.NEWEST_OF_PULL_REQUEST: """
WITH named AS (
    SELECT id, project FROM tasks WHERE lower(pr_url) = lower(:url COLLATE "C")
    UNION ALL
    SELECT id, project FROM tasks WHERE lower(follow_up_of) = lower(:url COLLATE "C"))
SELECT max(id) FROM named
WHERE project = (SELECT project FROM named ORDER BY id LIMIT 1)""",
}
