"""Webhooks out: the body that tells an endpoint of an event."""

from collections.abc import Awaitable, Callable

import msgspec

from gateway.domain.event import Event
from gateway.domain.spec import Spec
from gateway.domain.task import Task
from gateway.store.reads import Reads
from gateway.web.flat_view import CANCEL_REQUESTED, flat_view
from gateway.web.views import event_view, task_view
from gateway.wire.tasks import Notice, NoticeData
from gateway.wire.times import rfc3339

Render = Callable[[Event, Task, Spec], Awaitable[bytes | None]]
"""None: the receiver does not know such an event."""


def rendering(reads: Reads) -> Render:
    """The bodies of webhooks, as `interfaces.md` §4 has them."""

    async def render(event: Event, task: Task, spec: Spec) -> bytes | None:
        if spec.flat is not None:
            asked = await reads.words(task.id, (CANCEL_REQUESTED,))
            cancels = [word for word in asked if word.attempt == event.attempt]
            shown = flat_view(event, task, spec, cancel=cancels[-1] if cancels else None)
            return None if shown is None else msgspec.json.encode(shown)
        data = NoticeData(event=event_view(event), task=task_view(task, spec))
        notice = Notice(type=event.type, timestamp=rfc3339(event.at), data=data)
        return msgspec.json.encode(notice)

    return render
