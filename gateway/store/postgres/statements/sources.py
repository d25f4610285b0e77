"""Sources in PostgreSQL's own words: it compares in any case by its function of the same name."""

from collections.abc import Mapping
from typing import Final

from gateway.store.sql import sources

_NAMED: Final = """
SELECT wanted.value, found.id
FROM json_each(:urls) AS wanted CROSS JOIN LATERAL (
    SELECT id FROM tasks
    WHERE lower({0}) = lower(wanted.value COLLATE "C") AND {0} IS NOT NULL LIMIT 100) AS found"""

OWN: Final[Mapping[str, str]] = {
    sources.SANDBOXES_NAMED: sources.SANDBOXES_NAMED.replace(
        "GLOB 'daytona-*'", "LIKE 'daytona-%'"
    ),
    sources.PULL_REQUESTS_NAMED: f"""{_NAMED.format("pr_url")}
UNION ALL{_NAMED.format("follow_up_of")}""",
}
