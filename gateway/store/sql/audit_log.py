"""The audit log in the store: rows are added, and go at the end of their retention."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Final

import msgspec

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.operations.audit_log import AuditEntry, Detail
from gateway.store.sql.connection import Queries
from gateway.store.sql.rows import AUDIT_ENTRY, Params

_ENCODE: Final = msgspec.json.Encoder().encode

INSERT_AUDIT: Final = """
INSERT INTO audit (at, actor, action, target, project, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"""

AUDIT_BEFORE: Final = f"""
SELECT {AUDIT_ENTRY} FROM audit WHERE id < :id ORDER BY id DESC LIMIT :limit"""

AUDIT_OF_ACTOR: Final = f"""
SELECT {AUDIT_ENTRY} FROM audit WHERE actor = :actor AND id < :id ORDER BY id DESC LIMIT :limit"""

OLDEST_AUDIT: Final = "SELECT at FROM audit WHERE id > 0 ORDER BY id LIMIT 1"

# The oldest rows are read, and no more of them: an index of moments would cost every row.
DELETE_OLD_AUDIT: Final = """
DELETE FROM audit
WHERE at <= :ended_before AND id IN (SELECT id FROM audit WHERE id > 0 ORDER BY id LIMIT 500)"""


def write_audit(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """The entries of the batch; the store numbers them."""
    # Written out: every accepted task has an entry, and `Columns.values` would double its 2 µs.
    yield (
        INSERT_AUDIT,
        [
            (it.at, it.actor, it.action, it.target, it.project, _document(it.detail))
            for it in unit.audit
        ],
    )


def _document(detail: dict[str, Detail]) -> str:
    return _ENCODE(detail).decode() if detail else "{}"


class AuditQueries(Queries):
    """The reads of the audit log."""

    async def audit_before(
        self, number: int, limit: int, *, actor: str | None, after: int | None
    ) -> list[AuditEntry]:
        given = {"id": number, "actor": actor, "limit": limit}
        statement = AUDIT_BEFORE if actor is None else AUDIT_OF_ACTOR
        found = map(AUDIT_ENTRY.read, await self._all(statement, given))
        # Moments rise with the numbers; what is older than `after` is not searched through.
        return [*takewhile(lambda entry: after is None or entry.at > after, found)]

    async def has_old_audit(self, before: int) -> bool:
        row = await self._one(OLDEST_AUDIT)
        return row is not None and row[0] <= before
