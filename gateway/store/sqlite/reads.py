"""Reads, on a connection of their own: in WAL mode they never wait for the writer."""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from traceback import clear_frames
from typing import Final

import aiosqlite
import msgspec

from gateway.domain.agents.patch import StoredPiece
from gateway.domain.deliveries.delivery import PendingDelivery
from gateway.domain.deliveries.outbox import DeliveryKey
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.kernel.unit_of_work import LauncherCall, UnitOfWork
from gateway.domain.launching.job import Job
from gateway.domain.launching.realm import ProviderRealm, Realm, RealmKey, Sweep
from gateway.domain.operations.gauges import Gauges
from gateway.domain.sources.workspace import WorkspaceKey
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Attempt, Task
from gateway.store.records import (
    NEWEST,
    ApiKey,
    Delivery,
    DeliveryContext,
    DeliveryFailure,
    DeliveryFilter,
    DueDeliveries,
    FeedPage,
    LiveSecret,
    PendingEndpoint,
    SecretOwner,
    StoredSecrets,
    Target,
    TaskFilter,
    TaskPage,
)
from gateway.store.sqlite import rows
from gateway.store.sqlite import tasks as sql
from gateway.store.sqlite.batch import Batch
from gateway.store.sqlite.claims import NEXT_CLAIMABLE, providers_wanted
from gateway.store.sqlite.connection import translated
from gateway.store.sqlite.deliveries import deliveries_of, one_delivery, page_of_deliveries
from gateway.store.sqlite.delivery_contexts import (
    delivery_contexts,
    is_overtaken,
    live_secrets,
    target_of,
)
from gateway.store.sqlite.endpoint_reads import NEWEST_SEQ, EndpointReads
from gateway.store.sqlite.endpoints import read_directory
from gateway.store.sqlite.events import read_feed
from gateway.store.sqlite.lanes import (
    changed_at,
    due_deliveries,
    failures,
    new_deliveries,
    pending_endpoints,
)
from gateway.store.sqlite.launching import DUE_REALMS, watched_realms
from gateway.store.sqlite.operations import TASK_COUNTS, read_gauges
from gateway.store.sqlite.rate_limits import read_rate_limit
from gateway.store.sqlite.rows import Params
from gateway.store.sqlite.sweeps import SWEEPS, swept_from_row
from gateway.store.sqlite.task_list import Listing
from gateway.store.sqlite.workspaces import WORKSPACES

_SPEC: Final = msgspec.json.Decoder(Spec)


class Reads:
    """Everything that is asked without being changed."""

    def __init__(
        self, connection: aiosqlite.Connection, check: Callable[[], None] = lambda: None
    ) -> None:
        """`check` raises when the files are no longer those that were opened."""
        self._connection = connection
        self._check = check
        self._listing = Listing(self._all)
        self.endpoints = EndpointReads(self._all)

    async def task(self, task_id: str) -> tuple[Task, Spec] | None:
        """One task with what was asked for."""
        found = await self.tasks([task_id])
        return found[0] if found else None

    async def tasks(self, ids: Sequence[str]) -> list[tuple[Task, Spec]]:
        """Tasks with what was asked for, in the order given."""
        wanted = {"ids": json.dumps(ids)}
        tasks = {row[0]: rows.task_from_row(row) for row in await self._all(sql.TASKS, wanted)}
        specs = {row[0]: _SPEC.decode(row[1]) for row in await self._all(sql.SPECS, wanted)}
        # Between the two statements a task may be made, or deleted.
        whole = tasks.keys() & specs
        return [(tasks[task_id], specs[task_id]) for task_id in ids if task_id in whole]

    async def spec(self, task_id: str) -> Spec | None:
        """What was asked for."""
        row = await self._one(sql.SPEC, {"id": task_id})
        return _SPEC.decode(row[0]) if row else None

    async def page(self, wanted: TaskFilter, *, before: str = NEWEST, limit: int) -> TaskPage:
        """The newest tasks that match and are older than the id `before`."""
        return await self._listing.page(wanted, before=before, limit=limit)

    async def attempts(self, task_id: str) -> list[Attempt]:
        """Its attempts, oldest first; the first has a row from its first claim, or its end, on."""
        found = await self._all(sql.ATTEMPTS, {"ids": json.dumps([task_id])})
        return sorted(map(rows.attempt_from_row, found), key=lambda attempt: attempt.number)

    async def events_of_task(self, task_id: str, *, after: int, limit: int) -> list[Event]:
        """Its events after number `after`, oldest first."""
        params = {"task_id": task_id, "after": after, "limit": limit}
        return [rows.event_from_row(row) for row in await self._all(sql.EVENTS_OF_TASK, params)]

    async def events_of_project(
        self, project: str | None, types: Sequence[str] | None = None, *, after: int, limit: int
    ) -> FeedPage:
        """The events of all its tasks (of all projects for None), or all of these types, which may
        be about its endpoints."""
        return await read_feed(self._all, project, types, after=after, limit=limit)

    async def pruned(self, project: str | None) -> int:
        """The number of the newest event that retention has deleted from this feed (of all
        projects for None), 0 if none: a cursor before it has missed something."""
        row = await self._one(sql.PRUNED, {"project": project})
        return row[0] or 0 if row else 0

    async def events_of_types(
        self,
        task_id: str,
        types: Sequence[str],
        *,
        after: int = 0,
        limit: int = -1,
        is_late_too: bool = False,
    ) -> list[Event]:
        """Its events of these types, oldest first: the applied ones, or also those that came too
        late."""
        params = {
            "task_id": task_id,
            "types": json.dumps(types),
            "after": after,
            "limit": limit,
            "is_late_too": is_late_too,
        }
        return [rows.event_from_row(row) for row in await self._all(sql.WORDS, params)]

    async def last_event(self, task_id: str, kind: str, *, until: int) -> Event | None:
        """Its newest applied event of this type that number `until` is not before."""
        params = {"task_id": task_id, "type": kind, "after": until}
        row = await self._one(sql.LAST_WORD, params)
        return rows.event_from_row(row) if row else None

    async def patch_pieces(self, task_id: str, attempt: int | None = None) -> list[StoredPiece]:
        """The pieces of its patches without their texts, oldest first; of all attempts for None."""
        params = {"task_id": task_id, "attempt": attempt}
        return [rows.piece_from_row(row) for row in await self._all(sql.PIECES, params)]

    async def chunks(self, task_id: str, numbers: Sequence[int]) -> dict[int, bytes]:
        """Texts of pieces as they are stored, by the numbers of their events."""
        params = {"task_id": task_id, "numbers": json.dumps(numbers)}
        return {row[0]: row[1] for row in await self._all(sql.CHUNKS, params)}

    async def workspace(self, key: WorkspaceKey) -> str | None:
        """The task that stands for a frontend's own id."""
        row = await self._one(WORKSPACES, {"keys": json.dumps([key])})
        return row[2] if row else None

    async def secrets(self, task_id: str) -> StoredSecrets | None:
        """Its encrypted parts, if it has any."""
        row = await self._one(sql.SECRETS, {"task_id": task_id})
        if row is None:
            return None
        env_key, env, callback_key, callback_url, env_erased_at = row
        return StoredSecrets(
            env=Sealed(key_id=env_key, box=env) if env else None,
            callback_url=Sealed(key_id=callback_key, box=callback_url) if callback_url else None,
            env_erased_at=env_erased_at,
        )

    async def api_key(self, digest: bytes) -> ApiKey | None:
        """The key with this SHA-256, unless it was revoked."""
        row = await self._one(sql.API_KEY, {"hash": digest})
        if row is None:
            return None
        return ApiKey(
            id=row[0],
            scope=row[1],
            project=row[2],
            name=row[3],
            all_projects=bool(row[4]),
            rate_limit=read_rate_limit(row[5]),
        )

    async def due_tasks(self, now: int, limit: int) -> list[str]:
        """Tasks with a clock that is due."""
        found = await self._all(sql.DUE_TASKS, {"now": now, "limit": limit})
        return [row[0] for row in found]

    async def due_jobs(self, now: int, limit: int) -> list[str]:
        """Jobs whose lease has run out."""
        found = await self._all(sql.DUE_JOBS, {"now": now, "limit": limit})
        return [row[0] for row in found]

    async def due_realms(self, now: int, limit: int) -> list[RealmKey]:
        """Realms that may be missing, or are heard again."""
        found = await self._all(DUE_REALMS, {"now": now, "limit": limit})
        return [(row[0], row[1], row[2]) for row in found]

    async def sweeps(self, limit: int) -> list[tuple[Realm, Sweep | None]]:
        """Realms that are served, and what was found there last."""
        return [swept_from_row(row) for row in await self._all(SWEEPS, {"limit": limit})]

    async def next_due(self) -> int | None:
        """When the reconciler has work (milliseconds)."""
        row = await self._one(sql.NEXT_DUE, {})
        return row[0] if row else None

    async def next_claimable(
        self, providers: Sequence[ProviderRealm], now: int, project: str = ""
    ) -> int | None:
        """When a job that may not be claimed yet can be (milliseconds), of those that launchers
        of these places may have that serve the project (empty: all)."""
        params = {
            "places": json.dumps(providers),
            "providers": providers_wanted(providers),
            "project": project,
            "now": now,
        }
        row = await self._one(NEXT_CLAIMABLE, params)
        return row[0] if row else None

    async def due_deliveries(
        self, now: int, endpoint_ids: Sequence[str]
    ) -> dict[str, DueDeliveries]:
        """What may be sent to each of these endpoints that is enabled."""
        return await due_deliveries(self._all, now, endpoint_ids)

    async def pending_endpoints(self, after: str, limit: int) -> list[PendingEndpoint]:
        """The next endpoints behind this one that are owed something, by their ids."""
        return await pending_endpoints(self._all, after, limit)

    async def new_deliveries(self, after: DeliveryKey, limit: int) -> list[tuple[DeliveryKey, str]]:
        """The next deliveries behind this one, in the order of their events, each with its
        project."""
        return await new_deliveries(self._all, after, limit)

    async def newest_event(self) -> int:
        """The number of the newest event."""
        row = await self._one(NEWEST_SEQ, {})
        return 0 if row is None else int(row[0])

    async def failures(self) -> list[DeliveryFailure]:
        """The last ones of the endpoints to which nothing got through since, oldest first."""
        return await failures(self._all)

    async def changed_at(self, endpoint_ids: Sequence[str]) -> dict[str, int]:
        """When somebody last changed each of these endpoints (milliseconds)."""
        return await changed_at(self._all, endpoint_ids)

    async def deliveries(self, task_id: str, limit: int) -> list[Delivery]:
        """What the newest events of a task owe and owed to endpoints, oldest first."""
        return await deliveries_of(self._all, task_id, limit)

    async def delivery(self, endpoint_id: str, seq: int) -> Delivery | None:
        """One delivery, with all attempts to make it."""
        return await one_delivery(self._all, endpoint_id, seq)

    async def deliveries_before(
        self, wanted: DeliveryFilter, before: tuple[int, str], limit: int
    ) -> list[Delivery]:
        """Deliveries of events before this number, and at it to endpoints before this one; newest
        first."""
        return await page_of_deliveries(self._all, wanted, before, limit)

    async def target(self, endpoint_id: str) -> Target | None:
        """Where an endpoint's letters go."""
        return await target_of(self._all, endpoint_id)

    async def live_secrets(
        self, owners: Collection[SecretOwner], now: int
    ) -> dict[SecretOwner, tuple[LiveSecret, ...]]:
        """What letters to endpoints, or of projects' callbacks, are signed with."""
        return await live_secrets(self._all, owners, now)

    async def delivery_contexts(
        self, keys: Collection[DeliveryKey], now: int
    ) -> dict[DeliveryKey, DeliveryContext]:
        """What goes into the letters of deliveries."""
        return await delivery_contexts(self._all, keys, now)

    async def is_overtaken(self, endpoint_id: str, task_id: str, seq: int) -> bool:
        """Whether a later event of the task has been sent to the endpoint."""
        return await is_overtaken(self._all, endpoint_id, task_id, seq)

    async def launchers(self, since: int) -> list[LauncherCall]:
        """Launchers that have called since then (milliseconds), the latest first."""
        return [rows.call_from_row(row) for row in await self._all(sql.LAUNCHERS, {"since": since})]

    async def unit_of_work(self, needs: Sequence[ReadSet], policy: Policy, now: int) -> UnitOfWork:
        """What a batch of commands would look at, for whoever only wants to know."""
        with translated():
            realms = await watched_realms(self._connection)
            directory = await read_directory(self._connection)
            return await Batch(self._connection, 0, realms, directory).load(needs, policy, now)

    async def launchers_before(
        self, at: int, launcher_id: str, limit: int
    ) -> list[tuple[LauncherCall, list[Job]]]:
        """Launchers that called last before one that did at that moment (milliseconds), the latest
        first, with the jobs they hold."""
        params = {"at": at, "id": launcher_id, "limit": limit}
        calls = [rows.call_from_row(row) for row in await self._all(sql.LAUNCHERS_BEFORE, params)]
        ids = {"ids": json.dumps([call.launcher_id for call in calls])}
        held: dict[str | None, list[Job]] = {}
        for row in await self._all(sql.JOBS_HELD, ids):
            job = rows.job_from_row(row)
            held.setdefault(job.leased_by, []).append(job)
        return [(call, held.get(call.launcher_id, [])) for call in calls]

    async def recent_launchers(self, project: str, limit: int) -> list[LauncherCall]:
        """Launchers of a project, or of all, that have ever called, the latest first."""
        return [
            rows.call_from_row(row)
            for row in await self._all(sql.RECENT_LAUNCHERS, {"project": project, "limit": limit})
        ]

    async def key_holders(self, task: Task, limit: int) -> list[str]:
        """The tasks that are launching or running with its concurrency key."""
        params = {"project": task.project, "key": task.concurrency_key, "limit": limit}
        return [row[0] for row in await self._all(sql.KEY_HOLDERS, params)]

    async def newest_events(self, task_id: str, limit: int) -> list[Event]:
        """Its newest events, oldest first."""
        found = await self._all(sql.NEWEST_EVENTS, {"task_id": task_id, "limit": limit})
        return [rows.event_from_row(row) for row in found][::-1]

    async def jobs(self, ids: Sequence[str]) -> list[Job]:
        """Jobs by their ids, closed ones too."""
        found = await self._all(sql.JOBS, {"ids": json.dumps(ids)})
        return [rows.job_from_row(row) for row in found]

    async def undelivered(self, task_id: str, limit: int) -> list[PendingDelivery]:
        """Deliveries that have not arrived, of the newest events, oldest first."""
        names = PendingDelivery.__struct_fields__
        found = await self._all(sql.OWED, {"task_id": task_id, "limit": limit})
        return [PendingDelivery(**dict(zip(names, row, strict=True))) for row in found]

    async def kept_env(self, after: str, limit: int) -> list[tuple[str, int | None]]:
        """Tasks behind this id whose `env` is still kept, and when they ended (milliseconds)."""
        found = await self._all(sql.KEPT_ENV, {"after": after, "limit": limit})
        return [(row[0], row[1]) for row in found]

    async def old_tasks(
        self, after: str, until: str, limit: int
    ) -> list[tuple[str, int, int | None]]:
        """Tasks between two ids, with the number of their events, and when they ended."""
        found = await self._all(sql.OLD_TASKS, {"after": after, "until": until, "limit": limit})
        return [(row[0], row[1], row[2]) for row in found]

    async def has_idempotency_records(self, before: int) -> bool:
        """Whether first answers are kept from before that moment (milliseconds)."""
        return await self._one(sql.OLD_ANSWER, {"before": before}) is not None

    async def master_keys(self) -> list[str]:
        """The ids of all master keys that anything was ever sealed with."""
        return [row[0] for row in await self._all(sql.MASTER_KEYS, {})]

    async def keys_needed(self) -> dict[str, dict[str, int]]:
        """By master key id, how many living things of which kind cannot be read without it."""
        needed: dict[str, dict[str, int]] = {}
        for key_id, what, count in await self._all(sql.KEYS_NEEDED, {}):
            needed.setdefault(key_id, {})[what] = count
        return needed

    async def last_pulse(self) -> int | None:
        """When the reconciler last committed (milliseconds)."""
        row = await self._one(sql.LAST_PULSE, {})
        return row[0] if row else None

    async def gauges(self, *, now: int, since: int) -> Gauges:
        """How everything stands now; live is a launcher that has called since then
        (milliseconds)."""
        return await read_gauges(self._all, now=now, since=since)

    async def counts(self) -> dict[str, int]:
        """How many tasks are in each state."""
        return {row[0]: row[1] for row in await self._all(TASK_COUNTS, {})}

    async def _all(self, statement: str, params: Params) -> Iterable[rows.Row]:
        self._check()
        with translated():
            try:
                return await self._connection.execute_fetchall(statement, params)
            except sqlite3.Error as exc:
                # The traceback holds the cursor: as long as it is open, every later read would
                # see the database as it was then.
                clear_frames(exc.__traceback__)
                raise

    async def _one(self, statement: str, params: Params) -> rows.Row | None:
        return next(iter(await self._all(statement, params)), None)
