"""Bulk actions in the store, with their tasks in pages."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

import json
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.operations.bulk import BulkAction
from gateway.store.sql.connection import Queries
from gateway.store.sql.part import Loading
from gateway.store.sql.rows import BULK_ACTION, Params

BULK_ACTIONS: Final = f"""
SELECT {BULK_ACTION} FROM bulk_actions WHERE id IN (SELECT value FROM json_each(:ids))"""

RUNNING_BULK_ACTIONS: Final = f"""
SELECT {BULK_ACTION} FROM bulk_actions INDEXED BY bulk_actions_running
WHERE status = 'running' ORDER BY id"""

BULK_ACTIONS_BEFORE: Final = f"""
SELECT {BULK_ACTION} FROM bulk_actions
WHERE id < :before AND (CAST(:project AS TEXT) IS NULL OR project = :project)
ORDER BY id DESC LIMIT :limit"""

BULK_PAGE: Final = "SELECT task_ids FROM bulk_pages WHERE bulk_id = :id AND number = :number"

UPSERT_BULK_ACTIONS: Final = BULK_ACTION.numbered(f"""
INSERT INTO bulk_actions ({BULK_ACTION}) VALUES ({BULK_ACTION.marks})
ON CONFLICT (id) DO UPDATE SET
    done = excluded.done, failed = excluded.failed, failed_tasks = excluded.failed_tasks,
    status = excluded.status, updated_at = excluded.updated_at,
    finished_at = excluded.finished_at""")

INSERT_BULK_PAGES: Final = """
INSERT INTO bulk_pages (bulk_id, number, task_ids) VALUES (:bulk_id, :number, :task_ids)"""


async def load_bulk_actions(loading: Loading) -> None:
    """The actions that are named, and the tasks of the next page of each."""
    unit = loading.unit
    unit.bulk_actions.load(
        map(BULK_ACTION.read, await loading.of(BULK_ACTIONS, loading.wanted.bulk_actions))
    )
    for bulk in unit.bulk_actions.values():
        given = {"id": bulk.id, "number": bulk.next_page}
        for (task_ids,) in await loading.all(BULK_PAGE, given):
            unit.bulk_actions.pages[bulk.id] = tuple(json.loads(task_ids))
            loading.tasks.update(unit.bulk_actions.pages[bulk.id])


def write_bulk_actions(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """New and changed ones; the pages of the new ones."""
    yield UPSERT_BULK_ACTIONS, [*map(BULK_ACTION.values, unit.bulk_actions.changes)]
    yield (
        INSERT_BULK_PAGES,
        [
            {"bulk_id": bulk_id, "number": number, "task_ids": json.dumps(page)}
            for bulk_id, pages in unit.bulk_actions.new.items()
            for number, page in enumerate(pages)
        ],
    )


class BulkQueries(Queries):
    """The reads of bulk actions."""

    async def bulk_action(self, bulk_id: str) -> BulkAction | None:
        row = await self._one(BULK_ACTIONS, {"ids": [bulk_id]})
        return BULK_ACTION.read(row) if row else None

    async def running_bulk_actions(self) -> list[BulkAction]:
        return [*map(BULK_ACTION.read, await self._all(RUNNING_BULK_ACTIONS))]

    async def bulk_actions_before(
        self, project: str | None, before: str, limit: int
    ) -> list[BulkAction]:
        params = {"project": project, "before": before, "limit": limit}
        return [*map(BULK_ACTION.read, await self._all(BULK_ACTIONS_BEFORE, params))]
