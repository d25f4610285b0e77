"""Rows and values: the one place where a column becomes a field."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec

from gateway.domain.agents.patch import PatchDetails, StoredPiece
from gateway.domain.deliveries.delivery import DeliveryState
from gateway.domain.deliveries.endpoint import Endpoint, Patterns, SigningSecret, Subscription
from gateway.domain.deliveries.event_type import EventType
from gateway.domain.deliveries.portal import Portal
from gateway.domain.deliveries.replay import Replay
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.launching.job import Job, OrphanSandbox
from gateway.domain.launching.launcher import LauncherCall
from gateway.domain.launching.realm import Realm
from gateway.domain.operations.alert import Alert
from gateway.domain.operations.api_key import ApiKey
from gateway.domain.operations.audit_log import AuditEntry, Detail
from gateway.domain.operations.bulk import BulkAction, BulkFailure
from gateway.domain.operations.rate_limit import RateLimit
from gateway.domain.operations.switches import Pause
from gateway.domain.sources.workspace import Workspace
from gateway.domain.tasks.concurrency_keys import ConcurrencyHold
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import (
    Attempt,
    Clocks,
    Flag,
    Frozen,
    KeptPatch,
    Sandbox,
    Status,
    Task,
    TaskError,
    Timeouts,
    Usage,
)
from gateway.store.records import FeedEvent

T = TypeVar("T", bound=Frozen)
Row = Sequence[Any]
Params = Mapping[str, Any] | Sequence[Any]
"""By name, or in the order of the columns, which binds in half the time."""

_ENCODE: Final = msgspec.json.Encoder().encode
_JSON_FIELDS: Final[dict[str, Callable[[str], Any]]] = {
    "timeouts": msgspec.json.Decoder(Timeouts).decode,
    "error": msgspec.json.Decoder(TaskError).decode,
    "usage": msgspec.json.Decoder(Usage).decode,
    "sandbox": msgspec.json.Decoder(Sandbox).decode,
    "flags": msgspec.json.Decoder(tuple[Flag, ...]).decode,
    "clocks": msgspec.json.Decoder(Clocks).decode,
    "warnings": msgspec.json.Decoder(tuple[str, ...]).decode,
    "patch": msgspec.json.Decoder(KeptPatch).decode,
    "details": msgspec.json.Decoder(PatchDetails).decode,
    "orphan": msgspec.json.Decoder(OrphanSandbox).decode,
    "header_names": msgspec.json.Decoder(tuple[str, ...]).decode,
    "event_types": msgspec.json.Decoder(Patterns).decode,
    "metadata": msgspec.json.Decoder(dict[str, str]).decode,
    "rate_limit": msgspec.json.Decoder(RateLimit).decode,
    "detail": msgspec.json.Decoder(dict[str, Detail]).decode,
    "failed_tasks": msgspec.json.Decoder(tuple[BulkFailure, ...]).decode,
    "providers": msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode,
}
_OTHER_FIELDS: Final[dict[str, Callable[[Any], Any]]] = {
    "status": {status.value: status for status in Status}.__getitem__,
    "keep_sandbox": bool,
    "renewed": bool,
    "is_delegated": bool,
    "resumable": bool,
    "applied": bool,
    "implicit": bool,
    "enabled": bool,
    "is_draining": bool,
    "only_failed": bool,
    "dry_run": bool,
    "all_projects": bool,
    "deprecated": bool,
    "data": str.encode,
}
_READ: Final = {**_JSON_FIELDS, **_OTHER_FIELDS}


class Columns(Generic[T]):
    """The columns of a struct, in the order of its fields.

    `spoke_at`, `stray` and `told_at` have another name than their field: a gateway of the version
    before, which may work on the same rows, knows them by it.
    """

    def __init__(self, kind: type[T], names: str, *, unconverted: str = "") -> None:
        """`unconverted` is a column that only shares its name with one that is converted."""
        self.kind = kind
        self.names = tuple(names.replace(",", " ").split())
        fields = [(place, it) for place, it in enumerate(kind.__struct_fields__) if it in _READ]
        self._converted = [(place, _READ[it]) for place, it in fields if it != unconverted]
        self._documents = [place for place, it in fields if it in _JSON_FIELDS]

    def __str__(self) -> str:
        return ", ".join(self.names)

    @property
    def marks(self) -> str:
        """A named parameter for each column."""
        return ", ".join(f":{name}" for name in self.names)

    def of(self, table: str) -> str:
        """The columns of a table that has this name in the statement."""
        return ", ".join(f"{table}.{name}" for name in self.names)

    def numbered(self, statement: str, *more: str) -> str:
        """The statement with its named parameters by their place among the columns and `more`: so
        they bind in half the time."""
        places = {name: place for place, name in enumerate((*self.names, *more), 1)}
        return re.sub(r":(\w+)", lambda found: f"?{places[found[1]]}", statement)

    def upsert(self, table: str, *key: str) -> str:
        """The statement that writes a row, over the one that has the same key."""
        changes = ", ".join(f"{name} = excluded.{name}" for name in self.names if name not in key)
        return self.numbered(f"""
INSERT INTO {table} ({self}) VALUES ({self.marks})
ON CONFLICT ({", ".join(key)}) DO UPDATE SET {changes}""")  # noqa: S608 - names of constants

    def read(self, row: Row) -> T:
        """A value from its row."""
        values = list(row)
        for index, convert in self._converted:
            if values[index] is not None:
                values[index] = convert(values[index])
        return self.kind(**dict(zip(self.kind.__struct_fields__, values, strict=True)))

    def values(self, value: T) -> list[Any]:
        """The row of a value."""
        values = list(msgspec.structs.astuple(value))
        for index in self._documents:
            if values[index] is not None:
                values[index] = _ENCODE(values[index]).decode()
        return values


TASK: Final = Columns(
    Task,
    """id, project, status, attempt, max_attempts, seq, created_at, updated_at, timeouts, on_stall,
    priority, snapshot, provider, concurrency_key, keep_sandbox, endpoint_id, claimable_at,
    started_at, finished_at, cancel_requested_at, stage, message, pr_url, commit_sha, error,
    usage, sandbox, flags, clocks, follow_up_of, warnings, purged_at,
    traceparent""",
)
ATTEMPT: Final = Columns(
    Attempt,
    """task_id, number, key_id, opened_at, provider, realm, sandbox, launches, queue_left, tried_at,
    create_before, spoke_at, gone_at, missing_since, spool_offset, inspections, refused, ended_at,
    outcome, error, usage, claimed_at, started_at, tried_as, exited_at, patch, resumable,
    launcher_id""",
)
JOB: Final = Columns(
    Job,
    """id, kind, task_id, attempt, provider, realm, not_before, lease, leased_by, lease_expires_at,
    renewed, is_delegated, offers, closed_at, answered_lease, stray, error, lease_secret,
    project""",
)
EVENT: Final = Columns(
    Event,
    """task_id, task_seq, attempt, type, at, source, data, applied, reason, webhook_id, body_hash,
    actor, seq""",
)
FEED_EVENT: Final = Columns(FeedEvent, f"{EVENT}, customer, event_id")
ENDPOINT: Final = Columns(
    Endpoint,
    """id, project, origin, implicit, enabled, shown_url, header_names, description, event_types,
    rate_per_second, metadata, is_draining, disabled_reason, failing_since, created_at,
    updated_at, told_at, seq, format, customer""",
)
REPLAY: Final = Columns(
    Replay,
    """id, kind, endpoint_id, project, since, until, only_failed, dry_run, after_seq, until_seq,
    matched, status, reason, created_at, updated_at, finished_at""",
    unconverted="status",
)
BULK_ACTION: Final = Columns(
    BulkAction,
    """id, action, project, filter, reason, actor, matched, done, failed, failed_tasks, status,
    created_at, updated_at, finished_at""",
    unconverted="status",
)
EVENT_TYPE: Final = Columns(
    EventType,
    "project, name, description, schema, example, deprecated, created_at, updated_at",
)
PORTAL: Final = Columns(Portal, "project, customer, generation")
SUBSCRIPTION: Final = Columns(Subscription, "endpoint_id, after_seq, event_types")
SIGNING_SECRET: Final = Columns(SigningSecret, "id, project, endpoint_id, created_at, expires_at")
LAUNCHER: Final = Columns(
    LauncherCall,
    """id, providers, capacity, version, called_at, key_id, project, mode, mode_since, mode_reason,
    mode_actor""",
)
REALM: Final = Columns(
    Realm, "provider, realm, project, called_at, due_at, failing_code, failing_since, failures"
)
ALERT: Final = Columns(Alert, "id, seq, since")
PAUSE: Final = Columns(
    Pause,
    """switch, project, provider, since, until, reason, actor, ended_at, ended_by, end_reason, code,
    probe_at, probes""",
)
HOLD: Final = Columns(ConcurrencyHold, "project, concurrency_key, taken_at, freed_at")
WORKSPACE: Final = Columns(Workspace, "project, external_id, task_id, repo_url, branch")
DELIVERY_STATE: Final = Columns(
    DeliveryState,
    "endpoint_id, task_seq, status, attempts, failures, next_attempt_at, reason",
    unconverted="status",
)
API_KEY: Final = Columns(
    ApiKey,
    """id, scope, project, name, all_projects, rate_limit, created_at, expires_at, revoked_at,
    last_used_at""",
)
AUDIT_ENTRY: Final = Columns(AuditEntry, "at, actor, action, target, project, detail, id")
PIECE: Final = Columns(StoredPiece, "task_seq, attempt, revision, start, length, size, details")

_DATA: Final = Event.__struct_fields__.index("data")
_SEQ: Final = Event.__struct_fields__.index("seq")


def event_values(event: Event, seq: int) -> list[Any]:
    """The row of an event, with the number the batch gives it."""
    values = EVENT.values(event)
    values[_DATA], values[_SEQ] = event.data.decode(), seq
    return values


def named(value: Frozen) -> dict[str, Any]:
    """The fields by name, as parameters."""
    return {name: getattr(value, name) for name in value.__struct_fields__}


def sealed(key_id: str | None, box: bytes | None) -> Sealed | None:
    """A sealed value, if there is one."""
    return None if key_id is None or not box else Sealed(key_id=key_id, box=box)


def box(value: Sealed | None) -> dict[str, Any]:
    """A sealed value as parameters."""
    return {"box": value and value.box, "key_id": value and value.key_id}
