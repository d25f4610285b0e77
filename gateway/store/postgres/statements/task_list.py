"""Lists of tasks in PostgreSQL's own words: it sorts all rows of a join before it gives the first,
so each project and state is read up to the limit on its own."""

# ruff: noqa: S608 - what is put into a statement here is a constant

from collections.abc import Mapping
from typing import Final

from gateway.store.sql import task_list

_ASKED: Final = task_list.BY_FLAG.partition("SELECT task.id")[0]

_NEWEST: Final = """
SELECT task.id FROM {} CROSS JOIN LATERAL (
    SELECT id FROM tasks
    WHERE project = asked.project AND {} AND id >= :since AND id < :before
    ORDER BY id DESC LIMIT :limit) AS task
ORDER BY task.id DESC LIMIT :limit"""

# Short texts are told apart by the index alone: a condition that says nothing new would let the
# planner expect few rows, and read and sort all of them.
_BEGINS: Final = """substr({0}, 1, 200) = substr(:{1}, 1, 200)
  AND (length(:{1}) < 200 OR {0} = :{1})"""

_ORDERED: Final = "ORDER BY tasks.id DESC LIMIT :limit"
"""SQLite reads in the order of the ids that are given; PostgreSQL in any."""

OWN: Final[Mapping[str, str]] = {
    task_list.BY_STATUS: _ASKED
    + _NEWEST.format("asked CROSS JOIN json_each(:statuses) AS wanted", "status = wanted.value"),
    task_list.BY_FLAG: _ASKED + _NEWEST.format("asked", "flags <> '[]'"),
    task_list.BY_ERROR: _ASKED
    + _NEWEST.format("asked", "error IS NOT NULL AND json_extract(error, '$.code') = :error_code"),
    task_list.BY_REPOSITORY: f"""
SELECT task_id FROM events
WHERE task_seq = 1 AND {_BEGINS.format("json_extract(data, '$.repoUrl')", "repo_url")}
  AND task_id >= :since AND task_id < :before
ORDER BY task_id DESC LIMIT :limit""",
    task_list.BY_METADATA: f"""
SELECT task_id FROM task_metadata
WHERE key = :key AND {_BEGINS.format("value", "value")}
  AND task_id >= :since AND task_id < :before
ORDER BY task_id DESC LIMIT :limit""",
    **{
        shared: shared.removesuffix("LIMIT :limit") + _ORDERED
        for shared in (task_list.MATCHING, task_list.MATCHING_IDS)
    },
}
