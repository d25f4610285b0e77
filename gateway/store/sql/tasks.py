"""Tasks in the store, with their attempts, secrets and idempotency records."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from gateway.domain.deliveries.commands import (
    EndpointReply,
    PostAllReply,
    PostReply,
    ReplayReply,
)
from gateway.domain.kernel.idempotency import IdempotencyRecord, StoredResponse
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.operations.bulk import BulkReply
from gateway.domain.sources.workspace import WorkspaceKey
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Attempt, Status, Task
from gateway.store.batch_loader import BatchLoader
from gateway.store.records import NEWEST, StoredSecrets, TaskFilter, TaskPage, TaskWithSpec
from gateway.store.sql import rows
from gateway.store.sql.claims import ADVANCE_KEYS, key_values
from gateway.store.sql.connection import Connection, Queries
from gateway.store.sql.launching import JOBS_OF_TASKS
from gateway.store.sql.part import Loading
from gateway.store.sql.rows import ATTEMPT, TASK, Params
from gateway.store.sql.sources import WORKSPACES
from gateway.store.sql.task_groups import write_groups
from gateway.store.sql.task_list import SPECS, Listing

TASKS: Final = f"SELECT {TASK} FROM tasks WHERE id IN (SELECT value FROM json_each(:ids))"

TASKS_WITH_SPEC: Final = f"""
SELECT {TASK.of("task")}, first.data
FROM json_each(:ids) AS wanted
CROSS JOIN tasks AS task ON task.id = wanted.value
CROSS JOIN events AS first ON first.task_id = task.id AND first.task_seq = 1"""

ATTEMPTS: Final = f"""
SELECT {ATTEMPT} FROM attempts WHERE task_id IN (SELECT value FROM json_each(:ids))"""

ERASED: Final = """
SELECT task_id FROM task_secrets
WHERE env_erased_at IS NOT NULL AND task_id IN (SELECT value FROM json_each(:ids))"""

# A pull request belongs to the project whose task has named it first: a task of another project
# that names it later does not get what it is told.
NEWEST_OF_PULL_REQUEST: Final = """
WITH named AS (
    SELECT id, project FROM tasks WHERE pr_url COLLATE NOCASE = :url AND pr_url IS NOT NULL
    UNION ALL
    SELECT id, project FROM tasks
    WHERE follow_up_of COLLATE NOCASE = :url AND follow_up_of IS NOT NULL)
SELECT max(id) FROM named
WHERE project = (SELECT project FROM named WHERE id = (SELECT min(id) FROM named))"""

SECRETS: Final = """
SELECT task_id, key_id, env, callback_key_id, callback_url, env_erased_at FROM task_secrets
WHERE task_id IN (SELECT value FROM json_each(:ids))"""

KEY_HOLDERS: Final = """
SELECT id FROM tasks
WHERE project = :project AND concurrency_key = :key AND status IN ('launching', 'running')
LIMIT :limit"""

# By the index of living sandboxes, in a realm one after the other: nobody asks often.
TASKS_OF_SANDBOXES: Final = """
SELECT attempt.task_id
FROM json_each(:keys) AS wanted CROSS JOIN attempts AS attempt
    ON attempt.provider = json_extract(wanted.value, '$[0]')
    AND attempt.realm = json_extract(wanted.value, '$[1]')
    AND attempt.realm IS NOT NULL AND attempt.gone_at IS NULL
WHERE json_extract(attempt.sandbox, '$.name') = json_extract(wanted.value, '$[2]')"""

IDEMPOTENCY: Final = """
SELECT project, operation, key, key_id, digest, answer, at FROM idempotency
WHERE (project, operation, key) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
    FROM json_each(:keys))"""

# A task with a concurrency key stands behind the others until `ADVANCE_KEYS` says otherwise, unless
# it has the key already, or may have a sandbox: that one waits for its realm, and nobody for it.
_IS_BEHIND: Final = """
    CASE WHEN CAST(:concurrency_key AS TEXT) IS NOT NULL AND :status = 'queued'
        AND CAST(:sandbox AS TEXT) IS NULL THEN 1 ELSE 0 END"""

INSERT_TASKS: Final = TASK.numbered(
    f"""
INSERT INTO tasks ({TASK}, due_at, is_behind) VALUES ({TASK.marks}, :due_at, {_IS_BEHIND})""",
    "due_at",
)

# Without what is fixed for life.
_CHANGING: Final = """
    attempt = :attempt, seq = :seq, updated_at = :updated_at, started_at = :started_at,
    finished_at = :finished_at, cancel_requested_at = :cancel_requested_at, stage = :stage,
    message = :message, pr_url = :pr_url, commit_sha = :commit_sha, error = :error, usage = :usage,
    sandbox = :sandbox, flags = :flags, clocks = :clocks, warnings = :warnings,
    purged_at = :purged_at, due_at = :due_at"""

UPDATE_TASKS: Final = TASK.numbered(f"UPDATE tasks SET {_CHANGING} WHERE id = :id", "due_at")

UPDATE_MOVED_TASKS: Final = TASK.numbered(
    f"""
UPDATE tasks SET
    status = :status, claimable_at = :claimable_at, concurrency_key = :concurrency_key,
    is_behind = {_IS_BEHIND}, {_CHANGING}
WHERE id = :id""",
    "due_at",
)

UPSERT_ATTEMPTS: Final = ATTEMPT.upsert("attempts", "task_id", "number")

INSERT_SECRETS: Final = """
INSERT INTO task_secrets (task_id, key_id, env, callback_url, callback_key_id)
VALUES (:task_id, :key_id, :env, :callback_url, :callback_key_id)"""

REPLACE_ENV: Final = """
INSERT INTO task_secrets (task_id, key_id, env) VALUES (:task_id, :key_id, :box)
ON CONFLICT (task_id) DO UPDATE SET
    key_id = excluded.key_id, env = excluded.env, env_erased_at = NULL"""

INSERT_METADATA: Final = """
INSERT INTO task_metadata (task_id, key, value) VALUES (:task_id, :key, :value)"""

# Never over another one: of two gateways that take in the same request, one decides again.
INSERT_IDEMPOTENCY: Final = """
INSERT INTO idempotency (project, operation, key, key_id, digest, answer, at)
VALUES (:project, :operation, :key, :key_id, :digest, :answer, :at)"""

_SPEC: Final = msgspec.json.Decoder(Spec)
_TASK: Final = msgspec.json.Decoder[StoredResponse](Task)
_ENDPOINT: Final = msgspec.json.Decoder[StoredResponse](EndpointReply)
_REPLAY: Final = msgspec.json.Decoder[StoredResponse](ReplayReply)
_BULK: Final = msgspec.json.Decoder[StoredResponse](BulkReply)
_POST: Final = msgspec.json.Decoder[StoredResponse](PostReply)
_POST_ALL: Final = msgspec.json.Decoder[StoredResponse](PostAllReply)


async def load_sandboxes(loading: Loading) -> None:
    """The tasks of sandboxes that may be alive."""
    keys = {key for exits in loading.wanted.exits for key in exits.sandboxes}
    found = await loading.of(TASKS_OF_SANDBOXES, keys, "keys")
    loading.tasks.update(row[0] for row in found)


async def load_tasks(loading: Loading) -> None:
    """Tasks, with the attempts and jobs that belong to them."""
    unit, wanted = loading.unit, loading.tasks
    if not wanted:
        return
    tasks, attempts, jobs = await asyncio.gather(
        loading.of(TASKS, wanted), loading.of(ATTEMPTS, wanted), loading.of(JOBS_OF_TASKS, wanted)
    )
    unit.tasks.load(map(TASK.read, tasks))
    unit.attempts.load(map(ATTEMPT.read, attempts))
    unit.jobs.load(map(rows.JOB.read, jobs))
    ended = [task.id for task in unit.tasks.values() if task.status.is_terminal]
    unit.secrets.erased.update(row[0] for row in await loading.of(ERASED, ended))


async def load_idempotency(loading: Loading) -> None:
    """The records of these keys."""
    for project, operation, key, key_id, digest, answer, at in await loading.of(
        IDEMPOTENCY, loading.wanted.idempotency, "keys"
    ):
        name = (project, operation, key)
        stored = _answer_decoder(operation).decode(answer)
        loading.unit.idempotency[name] = IdempotencyRecord(
            key=name, key_id=key_id, digest=digest, answer=stored, at=at
        )


def write_tasks(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """Most events of an agent leave the status as it is: then its indexes are left alone too."""
    created = [unit.tasks[key] for key in unit.tasks.new]
    moved: list[Task] = []
    stayed: list[Task] = []
    for task in unit.tasks.changes:
        before = unit.tasks.loaded.get(task.id)
        has_stayed = before is not None and _position(before) == _position(task)
        (stayed if has_stayed else moved).append(task)
    yield INSERT_TASKS, [*map(_task_values, created)]
    yield UPDATE_MOVED_TASKS, [*map(_task_values, moved)]
    yield UPDATE_TASKS, [*map(_task_values, stayed)]
    yield ADVANCE_KEYS, key_values((*created, *moved), unit.policy.concurrency_per_key)
    # Most new tasks are in no group yet.
    grouped = [task for task in created if task.finished_at is not None or task.flags]
    yield from write_groups(
        (unit.tasks.loaded.get(task.id), task) for task in (*grouped, *moved, *stayed)
    )


def write_secrets(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """Encrypted parts of tasks."""
    yield (
        INSERT_SECRETS,
        [
            {
                "task_id": secret.task_id,
                "key_id": next(box.key_id for box in (secret.env, secret.callback) if box),
                "env": secret.env and secret.env.box,
                "callback_url": secret.callback and secret.callback.box,
                "callback_key_id": secret.callback and secret.callback.key_id,
            }
            for secret in unit.secrets.new
        ],
    )
    yield (
        REPLACE_ENV,
        [{"task_id": each.task_id, **rows.box(each.env)} for each in unit.secrets.renewed],
    )


def write_metadata(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """A row for each key."""
    yield (
        INSERT_METADATA,
        [
            {"task_id": task_id, "key": key, "value": value}
            for task_id, metadata in unit.metadata
            for key, value in metadata.items()
        ],
    )


def write_idempotency(unit: UnitOfWork, first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """The responses to requests with a key."""
    yield (
        INSERT_IDEMPOTENCY,
        [
            {
                "project": record.key[0],
                "operation": record.key[1],
                "key": record.key[2],
                "key_id": record.key_id,
                "digest": record.digest,
                "answer": msgspec.json.encode(_stored(record.answer, first)).decode(),
                "at": record.at,
            }
            for record in unit.idempotency.changes
        ],
    )


class TaskQueries(Queries):
    """The reads of tasks."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._tasks = BatchLoader(self._tasks_by_id)
        self._specs = BatchLoader(self._specs_by_task)
        self._secrets = BatchLoader(self._secrets_by_task)

    async def task(self, task_id: str) -> TaskWithSpec | None:
        return await self._tasks.load(task_id)

    async def newest_of_pull_request(self, url: str) -> TaskWithSpec | None:
        row = await self._one(NEWEST_OF_PULL_REQUEST, {"url": url})
        return await self.task(row[0]) if row and row[0] else None

    async def tasks(self, ids: Sequence[str]) -> list[TaskWithSpec]:
        """Tasks with what was asked for, in the order given."""
        found = await self._tasks_by_id(ids)
        return [found[task_id] for task_id in ids if task_id in found]

    async def spec(self, task_id: str) -> Spec | None:
        return await self._specs.load(task_id)

    async def page(self, wanted: TaskFilter, *, before: str = NEWEST, limit: int) -> TaskPage:
        return await Listing(self._all).page(wanted, before=before, limit=limit)

    async def ids(self, wanted: TaskFilter, *, most: int) -> list[str] | None:
        return await Listing(self._all).ids(wanted, most=most)

    async def attempts(self, task_id: str) -> list[Attempt]:
        found = await self._all(ATTEMPTS, {"ids": [task_id]})
        return sorted(map(ATTEMPT.read, found), key=lambda attempt: attempt.number)

    async def secrets(self, task_id: str) -> StoredSecrets | None:
        return await self._secrets.load(task_id)

    async def _tasks_by_id(self, ids: Sequence[str]) -> dict[str, TaskWithSpec]:
        rows = await self._all(TASKS_WITH_SPEC, {"ids": list(ids)})
        return {row[0]: (TASK.read(row[:-1]), _SPEC.decode(row[-1])) for row in rows}

    async def _specs_by_task(self, ids: Sequence[str]) -> dict[str, Spec]:
        found = await self._all(SPECS, {"ids": list(ids)})
        return {task_id: _SPEC.decode(data) for task_id, data in found}

    async def _secrets_by_task(self, ids: Sequence[str]) -> dict[str, StoredSecrets]:
        return {
            row[0]: _stored_secrets(*row[1:])
            for row in await self._all(SECRETS, {"ids": list(ids)})
        }

    async def workspace(self, key: WorkspaceKey) -> str | None:
        row = await self._one(WORKSPACES, {"keys": [key]})
        return row[2] if row else None

    async def key_holders(self, task: Task, limit: int) -> list[str]:
        params = {"project": task.project, "key": task.concurrency_key, "limit": limit}
        return [row[0] for row in await self._all(KEY_HOLDERS, params)]


def _stored_secrets(
    env_key: str | None,
    env: bytes | None,
    callback_key: str | None,
    callback_url: bytes | None,
    env_erased_at: int | None,
) -> StoredSecrets:
    return StoredSecrets(
        env=rows.sealed(env_key, env),
        callback_url=rows.sealed(callback_key, callback_url),
        env_erased_at=env_erased_at,
    )


def _stored(answer: StoredResponse, first: int) -> StoredResponse:
    """The response with the numbers of its events, where it names any."""
    if isinstance(answer, PostReply | PostAllReply):
        return answer.numbered(first - 1)
    return answer


def _task_values(task: Task) -> Params:
    return [*TASK.values(task), task.due_at]


def _position(task: Task) -> tuple[Status, int | None, str | None, bool]:
    """The place of a task among those that wait."""
    return task.status, task.claimable_at, task.concurrency_key, task.sandbox is None


def _answer_decoder(operation: str) -> msgspec.json.Decoder[StoredResponse]:
    """The decoder of the answers to an operation (method and path, of the API or of a page)."""
    if operation.endswith("/bulk"):
        return _BULK
    if operation.endswith("/events"):
        return _POST
    if operation.endswith("/events/batch"):
        return _POST_ALL
    if "/endpoints" not in operation:
        return _TASK
    return _REPLAY if operation.endswith("/replay") else _ENDPOINT
