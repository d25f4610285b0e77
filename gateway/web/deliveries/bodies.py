"""Webhooks out: the body that tells an endpoint of an event."""

from collections.abc import Awaitable, Callable

import msgspec

from gateway.domain.tasks.event import EndpointEventData, Event
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Task
from gateway.store.protocol import Reads
from gateway.web.deliveries.views import endpoint_state_view
from gateway.web.sources.flat_view import CANCEL_REQUESTED, flat_view
from gateway.web.tasks.views import event_view, task_view
from gateway.wire.endpoints import EndpointNotice, EndpointNoticeData
from gateway.wire.tasks import Notice, NoticeData
from gateway.wire.times import rfc3339

Render = Callable[[Event, tuple[Task, Spec] | None], Awaitable[bytes | None]]
"""An event with the task it belongs to, if there is one. None: the receiver does not know such an
event."""


def rendering(reads: Reads) -> Render:
    """The bodies of webhooks, as `interfaces.md` §4 has them."""

    async def render(event: Event, asked: tuple[Task, Spec] | None) -> bytes | None:
        if asked is None:
            return _about_endpoint(event)
        task, spec = asked
        if spec.flat is not None:
            return await _flat(reads, event, task, spec)
        data = NoticeData(event=event_view(event), task=task_view(task, spec))
        notice = Notice(type=event.type, timestamp=rfc3339(event.at), data=data)
        return msgspec.json.encode(notice)

    return render


def _about_endpoint(event: Event) -> bytes:
    fact = event.fact
    if not isinstance(fact, EndpointEventData):
        raise TypeError(f"{event.type} belongs to a task")
    data = EndpointNoticeData(event=event_view(event), endpoint=endpoint_state_view(fact.endpoint))
    notice = EndpointNotice(type=event.type, timestamp=rfc3339(event.at), data=data)
    return msgspec.json.encode(notice)


async def _flat(reads: Reads, event: Event, task: Task, spec: Spec) -> bytes | None:
    asked = await reads.events_of_types(task.id, (CANCEL_REQUESTED,))
    cancels = [word for word in asked if word.attempt == event.attempt]
    shown = flat_view(event, task, spec, cancel=cancels[-1] if cancels else None)
    return None if shown is None else msgspec.json.encode(shown)
