"""Retention in PostgreSQL's own words: events of a month go with its partition."""

from collections.abc import Mapping
from typing import Final

from gateway.store.sql import pruning

# Of a month that has a partition, tasks go once all of it is old.
_MONTH: Final = """AND id < coalesce((
    SELECT first FROM event_months WHERE first <= :until AND next > :until), :until)
ORDER BY"""

_IN_NO_MONTH: Final = """AND NOT EXISTS (
    SELECT 1 FROM event_months AS month
    WHERE events.task_id >= month.first AND events.task_id < month.next)"""

OWN: Final[Mapping[str, str]] = {
    pruning.OLD_TASKS: pruning.OLD_TASKS.replace("ORDER BY", _MONTH),
    pruning.DELETE_EVENTS: f"{pruning.DELETE_EVENTS} {_IN_NO_MONTH}",
}
