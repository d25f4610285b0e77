"""The status in PostgreSQL's own words."""

# ruff: noqa: S608 - what is put into a statement here is a constant

from collections.abc import Mapping
from typing import Final

from gateway.store.sql import status

OWN: Final[Mapping[str, str]] = {
    # One project after the other, each in the index alone: a join might read all tasks.
    status.LIVING_COUNTS: status.LIVING_COUNTS.partition("SELECT task.status")[0]
    + """
SELECT living.status, sum(living.count)
FROM named CROSS JOIN LATERAL (
    SELECT status, count(*) AS count FROM tasks
    WHERE project = named.project AND status IN ('queued', 'launching', 'running')
    GROUP BY status) AS living
GROUP BY living.status""",
}
