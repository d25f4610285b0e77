"""Checks of the database in SQL of the tests' own, independent of the store's."""

from typing import Any, Final

from gateway.store.administration import open_database
from gateway.store.location import Location

TASKS: Final = "SELECT id FROM tasks"
UNFINISHED: Final = """
SELECT id || ' is ' || status FROM tasks
WHERE status IN ('queued', 'launching', 'running')"""
UNDELIVERED: Final = """
SELECT task_id || ' owes event ' || task_seq FROM deliveries
WHERE status NOT IN ('delivered', 'superseded')"""
OPEN_JOBS: Final = """
SELECT kind || ' of ' || task_id || ' is open' FROM jobs
WHERE closed_at IS NULL AND kind <> 'sweep'"""
UNACCOUNTED: Final = """
SELECT task_id || ' attempt ' || number || ' may still have a sandbox' FROM attempts
WHERE ended_at IS NULL OR (tried_at IS NOT NULL AND gone_at IS NULL)"""
UNASKED_SANDBOX: Final = """
SELECT task_id || ' attempt ' || attempt || ' has more sandboxes than tries' FROM events
GROUP BY task_id, attempt
HAVING count(*) FILTER (WHERE type = 'sandbox.created')
    > count(*) FILTER (WHERE type = 'sandbox.trying')"""
EARLY_SUCCESSOR: Final = """
SELECT later.task_id || ' attempt ' || later.number || ' began too early' FROM attempts AS later
JOIN attempts AS earlier
  ON earlier.task_id = later.task_id AND earlier.number = later.number - 1
WHERE later.tried_at < earlier.gone_at"""
STARTED: Final = """
SELECT 'slipgate-' || substr(task_id, 12) || '-' || attempt FROM events
WHERE type = 'task.started' AND applied = 1"""
SUPERSEDED: Final = "SELECT seq FROM deliveries WHERE status = 'superseded'"
WEBHOOK_COUNTS: Final = (
    "SELECT webhook_id, count(*) FROM events WHERE webhook_id IS NOT NULL GROUP BY 1"
)

NEVER: Final = (UNASKED_SANDBOX, EARLY_SUCCESSOR)
"""Rows that must not exist at any moment."""
IN_THE_END: Final = (UNFINISHED, UNDELIVERED, OPEN_JOBS, UNACCOUNTED)
"""Rows that must be gone once nothing fails any more."""


class DatabaseChecks:
    """One database, read while a gateway writes it."""

    def __init__(self, location: Location) -> None:
        self._location = location

    def tasks(self) -> set[str]:
        """All that are stored."""
        return set(self._column(TASKS))

    def unsettled(self) -> list[str]:
        """Work that is not finished."""
        return self._column(*IN_THE_END)

    def violations(self) -> list[str]:
        """Rows that must not exist."""
        return self._column(*NEVER)

    def webhook_counts(self) -> dict[str, int]:
        """The number of events that each signed webhook of an agent has made."""
        return dict(self._rows(WEBHOOK_COUNTS))

    def superseded(self) -> set[int]:
        """Numbers of the events that a newer one of their task has taken the place of."""
        return {number for (number,) in self._rows(SUPERSEDED)}

    def started_sandboxes(self) -> set[str]:
        """Names of those whose agent was heard."""
        return set(self._column(STARTED))

    def _column(self, *statements: str) -> list[str]:
        return [row[0] for row in self._rows(*statements)]

    def _rows(self, *statements: str) -> list[Any]:
        with open_database(self._location) as database:
            return [row for statement in statements for row in database.fetch(statement)]


def rows(location: Location, statement: str, **given: object) -> list[Any]:
    """The rows that a statement finds in a database that a gateway may be writing."""
    with open_database(location) as database:
        return [*database.fetch(statement, given)]
