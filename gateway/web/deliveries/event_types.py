"""The catalogue of event types: put, list, show, delete."""

from functools import cache, partial
from typing import Any, Final

import msgspec
from starlette.responses import Response

from gateway.domain.deliveries.event_type import (
    DeleteEventType,
    EventType,
    EventTypeReply,
    PutEventType,
)
from gateway.domain.deliveries.type_patterns import is_own_pattern
from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.event import FACTS
from gateway.domain.tasks.event_meanings import MEANINGS
from gateway.web.convert import convert
from gateway.web.deliveries.event_schemas import check_data, check_schema
from gateway.web.deliveries.own_events import check_type
from gateway.web.http.access import READ, TASKS
from gateway.web.http.body import Nothing, in_thread
from gateway.web.http.call import DRY_RUN as DRY_RUN_QUERY
from gateway.web.http.call import REASON, Call
from gateway.web.http.cursors import CURSOR, LIMIT, open_cursor, seal_cursor
from gateway.web.http.fields import wrong_field
from gateway.web.http.operation import NOTHING, Body, Operation, answer
from gateway.web.http.query import Text
from gateway.web.http.replies import reply
from gateway.wire.own_events import DeletedEventType, EventTypeView, NewEventType
from gateway.wire.tasks import Page

BUILT_IN: Final = Text(
    name="builtIn", known=("true", "false"), meaning="`true`: the types of slipgate itself."
)
operation: Final = partial(Operation, tag="Events")


@operation(
    id="putEventType",
    summary="Describe a type of your own events",
    description=(
        "The whole description; what is left out is gone. With a `schema`, events whose data does "
        "not match are refused from now on."
    ),
    access=TASKS,
    body=Body(kind=NewEventType),
    answers=(
        answer(EventTypeView, "The type, changed; or, with `dryRun`, as it would be."),
        answer(EventTypeView, "The type, new to the catalogue.", status=201),
    ),
    errors=("reserved_event_type", "invalid_schema", "schema_mismatch"),
)
async def put(call: Call[NewEventType]) -> Response:
    wanted, name = call.body, call.path["event_type"]
    check_type(name)
    if not is_own_pattern(name) or name.endswith("*"):
        raise wrong_field("$", "Expected words of letters, digits, `_` and `-` between dots")
    event_type = EventType(
        project=call.key.project,
        name=name,
        description=wanted.description,
        schema=await in_thread(call.context.thread, partial(_checked, wanted)),
        example=None if wanted.example is None else msgspec.json.encode(wanted.example).decode(),
        deprecated=wanted.deprecated,
    )
    done = await call.ask(PutEventType(event_type=event_type), EventTypeReply)
    return reply(_event_type_view(done.event_type), call.status(201) if done.is_new else 200)


@operation(
    id="listEventTypes",
    summary="List the event types of the project by name",
    description="Your own, as the catalogue describes them; or those of slipgate (`builtIn`).",
    access=READ,
    query=(BUILT_IN, LIMIT, CURSOR),
    answers=(answer(Page[EventTypeView], "A page of types."),),
    errors=("invalid_cursor",),
)
async def page(call: Call[None]) -> Response:
    if call[BUILT_IN] == "true":
        return reply(Page[EventTypeView](data=built_in_types(), next_cursor=None))
    keyring, cursor, limit = call.context.keyring, call[CURSOR], call[LIMIT]
    project = call.key.project
    of_list = msgspec.json.encode(("event-types", project))
    after = "" if cursor is None else open_cursor(keyring, of_list, cursor)
    found = await call.context.reads.event_types(project, after, limit + 1)
    shown = found[:limit]
    following = seal_cursor(keyring, of_list, shown[-1].name) if len(found) > limit else None
    views = tuple(map(_event_type_view, shown))
    return reply(Page[EventTypeView](data=views, next_cursor=following))


@operation(
    id="showEventType",
    summary="Show an event type",
    description="One of your own, or of slipgate: its meaning, the schema and an example.",
    access=READ,
    answers=(answer(EventTypeView, "The type."),),
    errors=("not_found",),
)
async def show(call: Call[None]) -> Response:
    name = call.path["event_type"]
    for view in built_in_types():
        if view.name == name:
            return reply(view)
    found = await call.context.reads.event_type(call.key.project, name)
    if found is None:
        raise ApiError("not_found", "The catalogue has no such event type.")
    return reply(_event_type_view(found))


@operation(
    id="deleteEventType",
    summary="Take an event type out of the catalogue",
    description="Events of the type are taken and delivered as before, whatever their data is.",
    access=TASKS,
    query=(DRY_RUN_QUERY, REASON),
    body=NOTHING,
    answers=(answer(DeletedEventType, "The catalogue no longer has it."),),
    errors=("not_found",),
)
async def delete(call: Call[Nothing]) -> Response:
    command = DeleteEventType(project=call.key.project, name=call.path["event_type"])
    done = await call.ask(command, EventTypeReply)
    return reply(DeletedEventType(name=done.event_type.name, deleted=not call.is_dry_run))


def _event_type_view(event_type: EventType) -> EventTypeView:
    """A type of an application."""
    return convert(
        EventTypeView,
        event_type,
        schema=_document(event_type.schema),
        example=_document(event_type.example),
        built_in=False,
    )


@cache
def built_in_types() -> tuple[EventTypeView, ...]:
    """The types of slipgate itself; their schema is that of the event's `data`."""
    return tuple(
        EventTypeView(
            name=name,
            description=f"{MEANINGS[name]}.",
            schema=msgspec.json.schema(fact),
            example=None,
            deprecated=False,
            built_in=True,
            created_at=None,
            updated_at=None,
        )
        for name, fact in sorted(FACTS.items())
    )


def _checked(wanted: NewEventType) -> str | None:
    if wanted.schema is None:
        return None
    schema = check_schema(wanted.schema)
    if wanted.example is not None:
        check_data(schema, msgspec.json.encode(wanted.example), "example")
    return schema


def _document(text: str | None) -> dict[str, Any] | None:
    return None if text is None else msgspec.json.decode(text)
