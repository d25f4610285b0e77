"""Rows and values: the one place where a column becomes a field."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from gateway.domain.event import Event
from gateway.domain.job import Job
from gateway.domain.task import (
    Attempt,
    Clocks,
    Flag,
    Frozen,
    Sandbox,
    Status,
    Task,
    TaskError,
    Timeouts,
    Usage,
)
from gateway.domain.view import Endpoint

T = TypeVar("T", bound=Frozen)
Row = Sequence[Any]
Params = dict[str, Any]
Values = tuple[Any, ...]
"""In the order of the columns: bound much faster than by their names."""

_ENCODE: Final = msgspec.json.Encoder().encode
_JSON_FIELDS: Final[dict[str, Callable[[str], Any]]] = {
    "timeouts": msgspec.json.Decoder(Timeouts).decode,
    "error": msgspec.json.Decoder(TaskError).decode,
    "usage": msgspec.json.Decoder(Usage).decode,
    "sandbox": msgspec.json.Decoder(Sandbox).decode,
    "flags": msgspec.json.Decoder(tuple[Flag, ...]).decode,
    "clocks": msgspec.json.Decoder(Clocks).decode,
}
_OTHER_FIELDS: Final[dict[str, Callable[[Any], Any]]] = {
    "status": Status,
    "keep_sandbox": bool,
    "renewed": bool,
    "is_delegated": bool,
    "applied": bool,
    "implicit": bool,
    "enabled": bool,
    "data": str.encode,
}
_READ: Final = {**_JSON_FIELDS, **_OTHER_FIELDS}


def _reader(made: type[T]) -> Callable[[Row], T]:
    names = made.__struct_fields__
    converted = [(name, _READ[name]) for name in names if name in _READ]

    def read(row: Row) -> T:
        values = dict(zip(names, row, strict=True))
        for name, convert in converted:
            if values[name] is not None:
                values[name] = convert(values[name])
        return made(**values)

    return read


def _params(value: Frozen) -> Params:
    params = msgspec.structs.asdict(value)
    for name in params.keys() & _JSON_FIELDS.keys():
        if params[name] is not None:
            params[name] = _ENCODE(params[name]).decode()
    return params


task_from_row = _reader(Task)
attempt_from_row = _reader(Attempt)
job_from_row = _reader(Job)
event_from_row = _reader(Event)
endpoint_from_row = _reader(Endpoint)


def task_params(task: Task) -> Params:
    """The columns of `tasks`."""
    return {**_params(task), "due_at": task.due_at}


def attempt_params(attempt: Attempt) -> Params:
    """The columns of `attempts`."""
    return _params(attempt)


def job_params(job: Job) -> Params:
    """The columns of `jobs`."""
    return _params(job)


def event_params(event: Event, seq: int) -> Params:
    """The columns of `events`, with the number the batch gives it."""
    return {**_params(event), "data": event.data.decode(), "seq": seq}
