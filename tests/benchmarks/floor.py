"""The floor: the yardstick, which stores the rows of each task in group commits, and does nothing
else of a gateway. It has no keys, limits, rules of the lifecycle, log, counters or subscribers."""

import asyncio
import secrets
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.decide import decide
from gateway.domain.kernel.commands import CreateTask
from gateway.domain.kernel.ids import RANDOM_BITS, typeid
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.spec import AgentSpec, Spec, TimeoutSpec
from gateway.store.sql.batch import written
from gateway.store.sqlite.many_rows import write_rows
from gateway.store.sqlite.migrations import migrate
from gateway.wire.tasks import NewTask
from tests.benchmarks.yardstick import TASK_ID, answer, serve, validated

Rows = list[tuple[str, list[list[Any]]]]
Waiting = list[tuple[str, asyncio.Future[None]]]
NUMBER: Final = 7_151_001
"""The number of the event in the template."""


class GroupCommit:
    """Stores new tasks; those that come during a commit share the next one."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("PRAGMA wal_autocheckpoint = 4000")
        migrate(self._database)
        self._thread = ThreadPoolExecutor(1)
        self._waiting: Waiting = []
        self._numbers = count(1)
        self._template: Rows = []
        self._writing: asyncio.Task[None] | None = None

    async def store(self, task: NewTask, task_id: str) -> None:
        """Returns once it is on the disk."""
        self._template = self._template or _template(task)
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((task_id, stored))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await stored

    async def _write(self) -> None:
        while self._waiting:
            for _ in range(3):  # as the ledger does
                await asyncio.sleep(0)
            batch, self._waiting = self._waiting, []
            rows = [(statement, [*self._rows(row, batch)]) for statement, (row,) in self._template]
            await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, rows)
            for _, stored in batch:
                stored.set_result(None)

    def _rows(self, row: Sequence[Any], batch: Waiting) -> Iterator[list[Any]]:
        for task_id, _ in batch:
            given = {TASK_ID: task_id, NUMBER: next(self._numbers)}
            yield [given.get(value, value) for value in row]

    def _commit(self, rows: Rows) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        write_rows(self._database, rows)
        self._database.commit()


def _template(task: NewTask) -> Rows:
    """The rows of a task."""
    spec = Spec(
        project="default",
        repo_url=task.repo_url or "",
        prompt=task.prompt,
        title=task.title or "",
        branch_name=f"slipgate/{TASK_ID}",
        base_branch=task.base_branch,
        snapshot="slipgate-agent-1",
        agent=AgentSpec(model_provider="openai", model="gpt-5"),
        timeouts=TimeoutSpec(),
    )
    now = time.time_ns() // 1_000_000
    unit = UnitOfWork(policy=Policy(key_id="k1"))
    decide(unit, CreateTask(task_id=TASK_ID, spec=spec), now)
    return [(statement, [[*row] for row in rows]) for statement, rows in written(unit, NUMBER)]


def main() -> None:
    """Serves on the port of the first argument, and stores in the file of the second."""
    commits = GroupCommit(Path(sys.argv[2]))

    async def create(request: Request) -> Response:
        task = validated(await request.body())
        task_id = typeid("task", time.time_ns() // 1_000_000, secrets.randbits(RANDOM_BITS))
        await commits.store(task, task_id)
        return answer(task, task_id)

    serve(create)


if __name__ == "__main__":
    main()
