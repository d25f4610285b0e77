"""What documents the feeds of events."""

from typing import Final

from gateway.web.http import access
from gateway.web.http.operation import Answer, Content, Operation
from gateway.web.openapi.examples import EVENTS, PROGRESS
from gateway.web.openapi.headers import LAST_EVENT_ID
from gateway.web.tasks import events
from gateway.wire.tasks import EventView, Page

_TAG: Final = "Events"
_STREAM: Final = (
    f"id: {PROGRESS.seq}\n"
    f'data: {{"id": "{PROGRESS.id}", "seq": {PROGRESS.seq}, "type": "{PROGRESS.type}", …}}\n\n'
)
_FEED: Final = Answer(
    meaning=(
        "Events, oldest first; `nextCursor` is the next `after`. With `Accept: text/event-stream` "
        "the same as server-sent events, each `data:` one event, until the reader goes."
    ),
    content=(
        Content(kind=Page[EventView], example=EVENTS),
        Content(kind=str, example=_STREAM, media_type="text/event-stream"),
    ),
)

OF_TASK: Final = Operation(
    id="readTaskEvents",
    tag=_TAG,
    summary="Follow one task",
    access=access.READ_OR_TOKEN,
    parameters=(*events.PARAMETERS, LAST_EVENT_ID),
    answers=(_FEED,),
    errors=("not_found",),
)
OF_PROJECT: Final = Operation(
    id="readEvents",
    tag=_TAG,
    summary="Follow every task of the project",
    access=access.READ,
    parameters=(*events.PROJECT_PARAMETERS, LAST_EVENT_ID),
    answers=(_FEED,),
    errors=("cursor_expired",),
)
