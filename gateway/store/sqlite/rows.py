"""Rows and values: the one place where a column becomes a field."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from gateway.domain.agents.patch import PatchDetails, StoredPiece
from gateway.domain.deliveries.endpoint import Endpoint, Patterns, SigningSecret, Subscription
from gateway.domain.deliveries.replay import Replay
from gateway.domain.kernel.unit_of_work import LauncherCall
from gateway.domain.launching.job import Job, OrphanSandbox
from gateway.domain.launching.realm import Realm
from gateway.domain.tasks.concurrency_hold import ConcurrencyHold
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
    "stray": msgspec.json.Decoder(OrphanSandbox).decode,
    "header_names": msgspec.json.Decoder(tuple[str, ...]).decode,
    "event_types": msgspec.json.Decoder(Patterns).decode,
    "metadata": msgspec.json.Decoder(dict[str, str]).decode,
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
    "data": str.encode,
}
_READ: Final = {**_JSON_FIELDS, **_OTHER_FIELDS}


def _reader(made: type[T], *, as_it_is: str = "") -> Callable[[Row], T]:
    """`as_it_is` is a column that only shares its name with one that is converted."""
    names = made.__struct_fields__
    converted = [
        (index, _READ[name])
        for index, name in enumerate(names)
        if name in _READ and name != as_it_is
    ]

    def read(row: Row) -> T:
        values = list(row)
        for index, convert in converted:
            if values[index] is not None:
                values[index] = convert(values[index])
        return made(**dict(zip(names, values, strict=True)))

    return read


def _writer(kind: type[Frozen]) -> Callable[[Frozen], list[Any]]:
    documents = [index for index, name in enumerate(kind.__struct_fields__) if name in _JSON_FIELDS]

    def write(value: Frozen) -> list[Any]:
        values = list(msgspec.structs.astuple(value))
        for index in documents:
            if values[index] is not None:
                values[index] = _ENCODE(values[index]).decode()
        return values

    return write


task_from_row = _reader(Task)
attempt_from_row = _reader(Attempt)
job_from_row = _reader(Job)
event_from_row = _reader(Event)
endpoint_from_row = _reader(Endpoint)
call_from_row = _reader(LauncherCall)
realm_from_row = _reader(Realm)
taken_from_row = _reader(ConcurrencyHold)
secret_from_row = _reader(SigningSecret)
replay_from_row = _reader(Replay, as_it_is="status")
piece_from_row = _reader(StoredPiece)
subscription_from_row = _reader(Subscription)


attempt_values: Final = _writer(Attempt)
job_values: Final = _writer(Job)
realm_values: Final = _writer(Realm)
taken_values: Final = _writer(ConcurrencyHold)
endpoint_values: Final = _writer(Endpoint)
subscription_values: Final = _writer(Subscription)
replay_values: Final = _writer(Replay)
_task_values: Final = _writer(Task)
_event_values: Final = _writer(Event)
_DATA: Final = Event.__struct_fields__.index("data")
_SEQ: Final = Event.__struct_fields__.index("seq")


def task_values(task: Task) -> list[Any]:
    """The columns of `tasks`."""
    return [*_task_values(task), task.due_at]


def event_values(event: Event, seq: int) -> list[Any]:
    """The columns of `events`, with the number the batch gives it."""
    values = _event_values(event)
    values[_DATA], values[_SEQ] = event.data.decode(), seq
    return values


def named(value: Frozen) -> dict[str, Any]:
    """Its fields by name, as parameters."""
    return {name: getattr(value, name) for name in value.__struct_fields__}
