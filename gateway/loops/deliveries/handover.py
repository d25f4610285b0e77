"""Handover: the new deliveries of a commit as heads, out of memory instead of the store."""

from collections.abc import Iterator
from typing import Final

from msgspec import json, structs

from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Task
from gateway.store.records import Head, TaskWithSpec

_SPEC: Final = json.Decoder(Spec)


class NewLaneHead(Head, frozen=True, kw_only=True):
    """The first delivery of a lane, with what its message is made of."""

    event: Event
    asked: TaskWithSpec | None
    """None: it is an own event."""
    is_implicit: bool
    callback_url: Sealed | None


def new_heads(unit: UnitOfWork) -> Iterator[Head]:
    """The new deliveries of a commit, but those that are held; each is the head of its lane only if
    nothing in the lane waits before it."""
    numbered = enumerate(unit.events.new, unit.seq + 1) if unit.deliveries.new else ()
    numbers = {(event.task_id, event.task_seq): seq for seq, event in numbered}
    callbacks = {secrets.task_id: secrets.callback for secrets in unit.secrets.new}
    for new in unit.deliveries.new:
        endpoint = unit.outbox.directory.find(new.endpoint_id)
        if endpoint is None or new.next_attempt_at is None:
            continue
        event = new.event
        head = Head(
            endpoint_id=endpoint.id,
            project=endpoint.project,
            seq=numbers[event.task_id, event.task_seq],
            task_id=event.task_id,
            attempts=0,
            failures=0,
            trigger="auto",
            due_at=new.next_attempt_at,
            repeats=new.repeats,
            rate_per_second=endpoint.rate_per_second,
        )
        if event.task_seq == 1 and (event.is_own or event.task_id in unit.tasks.new):
            task = None if event.is_own else unit.tasks[event.task_id]
            head = _of_new_lane(head, event, task, endpoint, callbacks.get(event.task_id))
        yield head


def _of_new_lane(
    head: Head, event: Event, task: Task | None, endpoint: Endpoint, callback: Sealed | None
) -> NewLaneHead:
    return NewLaneHead(
        **structs.asdict(head),
        event=structs.replace(event, seq=head.seq),
        asked=None if task is None else (task, _SPEC.decode(event.data)),
        is_implicit=endpoint.implicit,
        callback_url=callback,
    )
