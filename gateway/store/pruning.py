"""Retention in SQL: what goes, table by table, in the order that the foreign keys allow."""

import json
from collections.abc import Iterator
from typing import Final

from gateway.domain.view import Pruning
from gateway.store import statements as sql
from gateway.store.keys import FORGET_TAKEN
from gateway.store.rows import Params

DELETIONS: Final = (
    sql.RAISE_PRUNED,
    sql.DELETE_DELIVERY_ATTEMPTS,
    sql.DELETE_DELIVERIES,
    sql.DELETE_JOBS,
    sql.DELETE_ATTEMPTS,
    sql.DELETE_SECRETS,
    sql.DELETE_METADATA,
    sql.DELETE_EVENTS,
    sql.DELETE_TASKS,
)


def pruning_statements(pruning: Pruning) -> Iterator[tuple[str, Params]]:
    """Statements with their parameters; each deletes a bounded number of rows."""
    before = {"before": pruning.before}
    yield sql.FORGET_IDEMPOTENCY, before
    yield sql.FORGET_LAUNCHERS, before
    yield FORGET_TAKEN, before
    if pruning.erased:
        yield sql.ERASE_ENV, {"at": pruning.at, "ids": json.dumps(pruning.erased)}
    if pruning.deleted:
        ids = {"ids": json.dumps(pruning.deleted)}
        for statement in DELETIONS:
            yield statement, ids
