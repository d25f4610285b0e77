"""One write transaction of the ledger: what a batch loads, and what it writes."""

import asyncio
import json
from collections.abc import Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Final

import aiosqlite
import msgspec

from gateway.domain.agents.patch import PatchPiece
from gateway.domain.deliveries.commands import EndpointReply, ReplayReply
from gateway.domain.deliveries.endpoint import Directory
from gateway.domain.deliveries.outbox import Outbox
from gateway.domain.kernel.commands import Claim
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import ReadSet, SandboxKey
from gateway.domain.kernel.unit_of_work import (
    OUTAGE,
    FirstAnswer,
    IdempotencyRecord,
    TaskSecrets,
    UnitOfWork,
)
from gateway.domain.launching.realm import Realm, RealmKey
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import Status, Task
from gateway.store.loading import BatchReadSet
from gateway.store.sqlite import rows
from gateway.store.sqlite import tasks as sql
from gateway.store.sqlite.claims import (
    ADVANCE_KEYS,
    UPSERT_TURNS,
    key_values,
    load_claims,
    turn_values,
)
from gateway.store.sqlite.concurrency_keys import UPSERT_TAKEN, load_keys
from gateway.store.sqlite.endpoints import UPSERT_ENDPOINTS, load_outbox, outbox_changes
from gateway.store.sqlite.launching import UPSERT_REALMS, load_realms, tasks_of_realm
from gateway.store.sqlite.pruning import pruning_statements
from gateway.store.sqlite.rows import Params
from gateway.store.sqlite.sources import UPSERT_MESSAGES, load_notices, message_values
from gateway.store.sqlite.sweeps import UPSERT_SWEEPS, sweep_values
from gateway.store.sqlite.workspaces import (
    INSERT_WORKSPACES,
    REPLACE_ENV,
    load_workspaces,
    workspace_values,
)

_TASK: Final = msgspec.json.Decoder[FirstAnswer](Task)
_ENDPOINT: Final = msgspec.json.Decoder[FirstAnswer](EndpointReply)
_REPLAY: Final = msgspec.json.Decoder[FirstAnswer](ReplayReply)


class Batch:
    """`load`, then `write`; the transaction itself belongs to the store."""

    def __init__(
        self,
        connection: aiosqlite.Connection,
        seq: int,
        realms: Mapping[RealmKey, Realm],
        directory: Directory,
    ) -> None:
        self._connection = connection
        self.realms = realms
        """All that are not known to be missing: with one writer they need not be read again."""
        self.directory = directory
        """All endpoints, for the same reason."""
        self._loaded: dict[str, Task] = {}
        self.seq = seq

    def begin(self) -> None:
        """Not waited for before there is something to write: what is read is queued behind it, and
        decisions are made meanwhile. A batch that was never begun can only be loaded."""
        self.begun = asyncio.ensure_future(self._connection.execute("BEGIN IMMEDIATE"))
        self.begun.add_done_callback(_noticed)

    async def load(self, needs: Sequence[ReadSet], policy: Policy, now: int) -> UnitOfWork:
        """The union of what the commands of the batch need."""
        wanted = BatchReadSet.of(needs)
        outbox = Outbox(directory=self.directory)
        view = UnitOfWork(policy=policy, seq=self.seq, realms=dict(self.realms), outbox=outbox)
        await self._load_jobs(view, wanted.jobs)
        if wanted.reports:
            await self._load_holders(view)
        if wanted.claims:
            await self._load_claims(view, wanted.claims, now)
        tasks = set(wanted.tasks)
        if wanted.pulse_at is not None:
            tasks |= await self._load_outage(view, wanted.pulse_at)
        for place in wanted.realms:
            tasks |= await tasks_of_realm(self._connection, view, place, now)
        tasks |= await self._tasks_of_sandboxes(wanted.sandboxes)
        tasks |= await load_workspaces(self._connection, view, wanted.workspaces)
        if wanted.notices:
            tasks |= await load_notices(self._connection, view, wanted.notices)
        tasks |= {job.task_id for job in view.jobs.values() if job.task_id is not None}
        tasks |= set(view.claimable)
        await asyncio.gather(  # one after the other, but without a way to the loop in between
            self._load_tasks(view, tasks),
            self._load_heard(view, wanted.webhooks),
            self._load_remembered(view, wanted.idempotency),
        )
        if wanted.owing:
            found = await self._all(sql.OWING, {"ids": json.dumps(wanted.owing)})
            view.owing = {row[0] for row in found}
        await load_outbox(self._connection, view.outbox, wanted, now)
        await load_keys(self._connection, view, now)
        return view

    async def write(self, view: UnitOfWork) -> None:
        """Everything the view has changed, a statement per table, in this order."""
        await self.begun
        await asyncio.gather(*self._statements(view))
        if view.outbox.is_changed:
            self.directory = view.outbox.directory
        if view.changed_realms:
            known = view.realms.values()
            self.realms = {realm.key: realm for realm in known if realm.due_at is not None}

    def _statements(self, view: UnitOfWork) -> Iterator[Coroutine[None, None, object]]:
        """All are queued at once: waiting for each would put the writing thread to sleep between
        them. One that fails takes the others with it, for nothing is committed then."""
        first = self.seq + 1
        self.seq += len(view.new_events)
        made = [view.tasks[key] for key in view.new_tasks]
        moved, stayed = self._moved([view.tasks[key] for key in view.changed_tasks])
        for statement, params in (
            (
                UPSERT_ENDPOINTS,
                [*map(rows.endpoint_values, view.outbox.changed_endpoints.values())],
            ),
            (sql.INSERT_TASKS, [*map(rows.task_values, made)]),
            (sql.UPDATE_MOVED_TASKS, [*map(rows.task_values, moved)]),
            (sql.UPDATE_TASKS, [*map(rows.task_values, stayed)]),
            (ADVANCE_KEYS, key_values((*made, *moved), view.policy.concurrency_per_key)),
            (sql.INSERT_EVENTS, [*map(rows.event_values, view.new_events, count(first))]),
            (sql.INSERT_PIECES, [_piece_values(*new) for new in view.new_pieces]),
            (sql.INSERT_DELIVERIES, _delivery_params(view, first)),
            (
                sql.UPSERT_ATTEMPTS,
                [rows.attempt_values(view.attempts[key]) for key in view.changed_attempts],
            ),
            (sql.UPSERT_JOBS, [rows.job_values(view.jobs[key]) for key in view.changed_jobs]),
            (sql.INSERT_SECRETS, _secret_params(view)),
            (REPLACE_ENV, [_env_values(secrets) for secrets in view.renewed_env]),
            (INSERT_WORKSPACES, [*map(workspace_values, view.new_workspaces)]),
            (sql.INSERT_METADATA, _metadata_params(view)),
            (sql.INSERT_REMEMBERED, _remembered_params(view)),
            (UPSERT_MESSAGES, [*map(message_values, view.new_messages)]),
            (sql.UPSERT_LAUNCHERS, _launcher_params(view)),
            (UPSERT_REALMS, [rows.realm_values(view.realms[key]) for key in view.changed_realms]),
            (UPSERT_TAKEN, [*map(rows.taken_values, view.changed_taken)]),
            (UPSERT_TURNS, turn_values(view)),
            (UPSERT_SWEEPS, [*map(sweep_values, view.new_sweeps)]),
            (sql.SETTLE_DELIVERIES, [rows.named(settled) for settled in view.settled]),
            (sql.INSERT_DELIVERY_ATTEMPTS, _delivery_attempt_params(view)),
            *(outbox_changes(view.outbox) if view.outbox.is_changed else ()),
        ):
            # Row by row in a Python loop every step would have to win the GIL back. One INSERT …
            # SELECT FROM json_each(:rows) steps only once, yet reaches 0.58 of this, idle or beside
            # a busy event loop: reading the columns out of JSON costs more than the steps.
            if params:
                yield self._connection.executemany(statement, params)
        if view.new_events:
            yield self._connection.execute(sql.ADVANCE_LEDGER, {"seq": self.seq})
        if view.pulse_at is not None:
            yield self._connection.execute(sql.PULSE, {"at": view.pulse_at})
        if view.pruning is not None:
            for statement, given in pruning_statements(view.pruning):
                yield self._connection.execute(statement, given)

    def _moved(self, tasks: Sequence[Task]) -> tuple[list[Task], list[Task]]:
        """Most words of an agent leave the status as it is: then its indexes are left alone too."""
        moved: list[Task] = []
        stayed: list[Task] = []
        for task in tasks:
            before = self._loaded.get(task.id)
            has_stayed = before is not None and _place(before) == _place(task)
            (stayed if has_stayed else moved).append(task)
        return moved, stayed

    async def _load_tasks(self, view: UnitOfWork, wanted: set[str]) -> None:
        if not wanted:
            return
        ids = {"ids": json.dumps(sorted(wanted))}
        tasks, attempts, jobs = await asyncio.gather(
            self._all(sql.TASKS, ids),
            self._all(sql.ATTEMPTS, ids),
            self._all(sql.JOBS_OF_TASKS, ids),
        )
        for row in tasks:
            task = rows.task_from_row(row)
            view.tasks[task.id] = task
        self._loaded = dict(view.tasks)
        for row in attempts:
            attempt = rows.attempt_from_row(row)
            view.attempts[attempt.task_id, attempt.number] = attempt
        for row in jobs:
            job = rows.job_from_row(row)
            view.jobs[job.id] = job
        ended = [task.id for task in view.tasks.values() if task.status.is_terminal]
        if ended:
            erased = await self._all(sql.ERASED, {"ids": json.dumps(ended)})
            view.erased.update(row[0] for row in erased)

    async def _load_jobs(self, view: UnitOfWork, wanted: Collection[str]) -> None:
        if wanted:
            for row in await self._all(sql.JOBS, {"ids": json.dumps(sorted(wanted))}):
                job = rows.job_from_row(row)
                view.jobs[job.id] = job

    async def _load_holders(self, view: UnitOfWork) -> None:
        holders = {job.leased_by for job in view.jobs.values() if job.leased_by is not None}
        for row in await self._all(sql.LAUNCHERS_NAMED, {"ids": json.dumps(sorted(holders))}):
            call = rows.call_from_row(row)
            view.launchers[call.launcher_id] = call
            await load_realms(
                self._connection, view, [(*place, call.project) for place in call.providers]
            )

    async def _load_outage(self, view: UnitOfWork, at: int) -> set[str]:
        """The pulse before; after a gap all leases, and the names of tasks with a clock due."""
        for (last,) in await self._all(sql.LAST_PULSE, {}):
            view.last_pulse = last
        if view.last_pulse is None or at - view.last_pulse <= OUTAGE:
            return set()
        for row in await self._all(sql.JOBS_LEASED, {}):
            job = rows.job_from_row(row)
            view.jobs[job.id] = job
        return {row[0] for row in await self._all(sql.DUE_TASKS, {"now": at, "limit": -1})}

    async def _tasks_of_sandboxes(self, keys: Sequence[SandboxKey]) -> set[str]:
        if not keys:
            return set()
        return {
            row[0] for row in await self._all(sql.TASKS_OF_SANDBOXES, {"keys": json.dumps(keys)})
        }

    async def _load_claims(self, view: UnitOfWork, claims: Sequence[Claim], now: int) -> None:
        launchers = {"ids": json.dumps([claim.launcher_id for claim in claims])}
        for row in await self._all(sql.LAUNCHERS_NAMED, launchers):
            call = rows.call_from_row(row)
            view.launchers[call.launcher_id] = call
        for row in await self._all(sql.JOBS_HELD, launchers):
            job = rows.job_from_row(row)
            view.jobs.setdefault(job.id, job)
        keys = {(*place, claim.project) for claim in claims for place in claim.providers}
        await load_realms(self._connection, view, keys)
        await load_claims(self._connection, view, claims, now)

    async def _load_heard(self, view: UnitOfWork, keys: Sequence[tuple[str, int, str]]) -> None:
        if keys:
            for task_id, attempt, name, digest in await self._all(
                sql.HEARD, {"keys": json.dumps(keys)}
            ):
                view.heard[task_id, attempt, name] = digest

    async def _load_remembered(
        self, view: UnitOfWork, keys: Sequence[tuple[str, str, str]]
    ) -> None:
        if not keys:
            return
        for project, operation, key, key_id, digest, answer, at in await self._all(
            sql.REMEMBERED, {"keys": json.dumps(keys)}
        ):
            view.remembered[project, operation, key] = IdempotencyRecord(
                key=(project, operation, key),
                key_id=key_id,
                digest=digest,
                answer=_answer_decoder(operation).decode(answer),
                at=at,
            )

    async def _all(self, statement: str, params: Params) -> Iterable[rows.Row]:
        return await self._connection.execute_fetchall(statement, params)


def _answer_decoder(operation: str) -> msgspec.json.Decoder[FirstAnswer]:
    """What an operation (method and path) is answered with."""
    if " /v1/endpoints" not in operation:
        return _TASK
    return _REPLAY if operation.endswith("/replay") else _ENDPOINT


def _place(task: Task) -> tuple[Status, int | None, bool]:
    """Whatever decides where it stands among those that wait."""
    return task.status, task.claimable_at, task.sandbox is None


def _noticed(begun: asyncio.Task[aiosqlite.Cursor]) -> None:
    """A decision that failed first is what the caller hears of, not the BEGIN that failed too."""
    if not begun.cancelled():
        begun.exception()


def _delivery_params(view: UnitOfWork, first: int) -> list[Params]:
    if not view.new_deliveries:
        return []
    numbers = {
        (event.task_id, event.task_seq): seq for seq, event in enumerate(view.new_events, first)
    }
    return [
        {
            "endpoint_id": delivery.endpoint_id,
            "seq": numbers[delivery.event.task_id, delivery.event.task_seq],
            "task_id": delivery.event.task_id,
            "task_seq": delivery.event.task_seq,
            "status": delivery.status,
            "next_attempt_at": delivery.next_attempt_at,
            "repeats": delivery.repeats,
        }
        for delivery in view.new_deliveries
    ]


def _piece_values(event: Event, piece: PatchPiece) -> Params:
    about = {"task_id": event.task_id, "task_seq": event.task_seq, "attempt": event.attempt}
    return about | rows.named(piece)


def _secret_params(view: UnitOfWork) -> list[Params]:
    return [
        {
            "task_id": secret.task_id,
            "key_id": next(box.key_id for box in (secret.env, secret.callback) if box),
            "env": secret.env and secret.env.box,
            "callback_url": secret.callback and secret.callback.box,
            "callback_key_id": secret.callback and secret.callback.key_id,
        }
        for secret in view.new_secrets
    ]


def _env_values(secrets: TaskSecrets) -> Params:
    env = secrets.env
    return (secrets.task_id, env and env.key_id, env and env.box)


def _metadata_params(view: UnitOfWork) -> list[Params]:
    return [
        {"task_id": task_id, "key": key, "value": value}
        for task_id, metadata in view.new_metadata
        for key, value in metadata.items()
    ]


def _remembered_params(view: UnitOfWork) -> list[Params]:
    return [
        {
            "project": kept.key[0],
            "operation": kept.key[1],
            "key": kept.key[2],
            "key_id": kept.key_id,
            "digest": kept.digest,
            "answer": msgspec.json.encode(kept.answer).decode(),
            "at": kept.at,
        }
        for kept in view.new_remembered
    ]


def _launcher_params(view: UnitOfWork) -> list[Params]:
    return [
        {
            "id": call.launcher_id,
            "providers": json.dumps(call.providers),
            "capacity": call.capacity,
            "version": call.version,
            "called_at": call.at,
            "key_id": call.key_id,
            "project": call.project,
        }
        for call in view.calls
    ]


def _delivery_attempt_params(view: UnitOfWork) -> list[Params]:
    return [
        {
            "endpoint_id": settled.endpoint_id,
            "seq": settled.seq,
            "number": settled.attempts,
            "at": settled.at,
            "trigger": settled.trigger,
            "status": settled.http_status,
            "reason": settled.reason,
            "duration_ms": settled.duration_ms,
            "key_id": settled.key_id,
            "response_body": settled.answer,
        }
        for settled in view.settled
        if settled.is_attempt
    ]
