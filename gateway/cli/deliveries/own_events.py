"""`slipgate events …`: events of an application's own types, and the portal of its customers."""

import sys
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from gateway.cli.console.output import AsJson, one_line
from gateway.cli.console.terminal import out, print_fields, print_page
from gateway.cli.console.times import zoned
from gateway.cli.http.client import change_of, open_client, present
from gateway.cli.http.options import DryRun, Reason
from gateway.cli.http.paths import path_part
from gateway.wire.own_events import (
    DeletedEventType,
    EventTypeView,
    ExpiredPortalLinks,
    PortalLinkView,
    PostedEventsView,
    PostedEventView,
)
from gateway.wire.tasks import Page

events: Final = typer.Typer(
    no_args_is_help=True,
    help="Send your own events, describe their types, let customers in.\n\n"
    "Example: slipgate events send --type=invoice.paid --data=@paid.json",
)
Customer = Annotated[str | None, typer.Option(help="the customer whose event it is")]


@events.command()
def send(
    kind: Annotated[str, typer.Option("--type", help="invoice.paid; a type of your own")],
    text: Annotated[
        str, typer.Option("--data", metavar="JSON", help="an object; @FILE, or - for stdin")
    ] = "{}",
    customer: Customer = None,
    event_id: Annotated[str | None, typer.Option(help="your own id: sent twice, it is one")] = None,
    ordering_key: Annotated[
        str | None, typer.Option(help="events with the same key arrive one after the other")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send an event to the endpoints that name its type.

    Example: slipgate events send --type=invoice.paid --data='{"invoice": "inv_17"}'
    """
    wanted = {
        "type": kind,
        "data": _document(text, "--data"),
        "customer": customer,
        "eventId": event_id,
        "orderingKey": ordering_key,
    }
    with open_client() as client:
        answer = client.post("/v1/events", wanted)
    present(PostedEventView, answer, _print_posted, as_json=as_json)


@events.command()
def batch(
    text: Annotated[str, typer.Argument(metavar="JSON", help="a list of events; @FILE, or -")],
    as_json: AsJson = False,
) -> None:
    """Send up to 100 events, all of them or none.

    Example: slipgate events batch @events.json
    """
    with open_client() as client:
        answer = client.post("/v1/events/batch", {"events": _document(text, "JSON")})
    present(PostedEventsView, answer, _print_all_posted, as_json=as_json)


@events.command()
def types(
    built_in: Annotated[bool, typer.Option("--built-in", help="those of slipgate")] = False,
    cursor: Annotated[str | None, typer.Option(help="nextCursor of the page before")] = None,
    as_json: AsJson = False,
) -> None:
    """List the event types that the catalogue describes.

    Example: slipgate events types --built-in
    """
    with open_client() as client:
        query = {"builtIn": "true" if built_in else None, "cursor": cursor}
        answer = client.get("/v1/event-types", limit=200, **query)
    present(Page[EventTypeView], answer, _print_types, as_json=as_json)


@events.command()
def show(
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="invoice.paid")],
    as_json: AsJson = False,
) -> None:
    """Show an event type with its schema and its example.

    Example: slipgate events show invoice.paid
    """
    with open_client() as client:
        answer = client.get(_path(kind))
    present(EventTypeView, answer, _print_whole_type, as_json=as_json)


@events.command()
def describe(
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="invoice.paid")],
    description: Annotated[str, typer.Option(help="when it is sent, for your customers")],
    schema: Annotated[
        str | None, typer.Option(metavar="JSON", help="JSON Schema of its data; @FILE, or -")
    ] = None,
    example: Annotated[
        str | None, typer.Option(metavar="JSON", help="an example of its data; @FILE, or -")
    ] = None,
    deprecated: Annotated[
        bool, typer.Option("--deprecated", help="no longer for customers to choose")
    ] = False,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Describe an event type; with a schema, other data is refused.

    Example: slipgate events describe invoice.paid --description='Paid.' --schema=@schema.json
    """
    wanted = change_of(reason, is_dry_run=dry_run, description=description, deprecated=deprecated)
    wanted |= {"schema": _document(schema, "--schema")} if schema else {}
    wanted |= {"example": _document(example, "--example")} if example else {}
    with open_client() as client:
        answer = client.call("PUT", _path(kind), wanted)
    present(EventTypeView, answer, _print_type, as_json=as_json, is_dry_run=dry_run)


@events.command()
def delete(
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="invoice.paid")],
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take an event type out of the catalogue; its events are taken as before.

    Example: slipgate events delete invoice.paid
    """
    with open_client() as client:
        query = {"reason": reason, "dryRun": "true" if dry_run else None}
        answer = client.call("DELETE", _path(kind), query=query)
    present(DeletedEventType, answer, _print_deleted, as_json=as_json, is_dry_run=dry_run)


@events.command()
def portal(
    customer: Annotated[str, typer.Argument(help="your id of the customer")],
    seconds: Annotated[int, typer.Option(min=60, max=604_800, help="how long it works")] = 3_600,
    as_json: AsJson = False,
) -> None:
    """Print a link to the page where a customer manages its endpoints.

    Example: slipgate events portal acme --seconds=86400
    """
    with open_client() as client:
        wanted = {"customer": customer, "expiresInSeconds": seconds}
        answer = client.post("/v1/portal-links", wanted)
    present(PortalLinkView, answer, _print_link, as_json=as_json)


@events.command()
def expire(
    customer: Annotated[str, typer.Argument(help="your id of the customer")],
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """End all links and sessions of a customer; the next link works.

    Example: slipgate events expire acme --reason="sent to the wrong address"
    """
    wanted = change_of(reason, is_dry_run=dry_run, customer=customer)
    with open_client() as client:
        answer = client.post("/v1/portal-links/expire-all", wanted)
    present(ExpiredPortalLinks, answer, _print_expired, as_json=as_json, is_dry_run=dry_run)


def _path(kind: str) -> str:
    return f"/v1/event-types/{path_part(kind, also='.', of='events types')}"


def _document(text: str, option: str) -> object:
    """JSON from an option, a file or stdin."""
    place = ""
    if text == "-":
        text, place = sys.stdin.read(), " on stdin"
    elif text.startswith("@"):
        text, place = Path(text[1:]).read_text("utf-8"), f" in {text[1:]}"
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as exc:
        raise typer.BadParameter(f"Expected JSON{place}: {exc}", param_hint=option) from exc


def _print_posted(event: PostedEventView) -> None:
    to = event.deliveries
    why = "" if to else ", as none asks for this type"
    out.print(f"{event.id}  {event.type}  to {to} endpoint{'s' * (to != 1)}{why}")


def _print_all_posted(posted: PostedEventsView) -> None:
    for event in posted.data:
        _print_posted(event)


def _print_types(page: Page[EventTypeView]) -> None:
    print_page(page, ("type", "description"), _row, empty="The catalogue is empty.")


def _row(kind: EventTypeView) -> tuple[str, ...]:
    return kind.name, one_line(kind.description)


def _print_type(kind: EventTypeView) -> None:
    out.print(f"{kind.name}  {one_line(kind.description)}")


def _print_whole_type(kind: EventTypeView) -> None:
    fields = {
        "type": kind.name,
        "description": kind.description,
        "deprecated": "yes" if kind.deprecated else None,
        "schema": _compact(kind.schema),
        "example": _compact(kind.example),
        "changed": zoned(kind.updated_at),
    }
    print_fields(fields)


def _compact(document: object) -> str | None:
    return None if document is None else msgspec.json.encode(document).decode()


def _print_deleted(kind: DeletedEventType) -> None:
    out.print(f"{'deleted' if kind.deleted else 'would delete'} {kind.name}")


def _print_expired(ended: ExpiredPortalLinks) -> None:
    verb = "expired" if ended.expired else "would expire"
    out.print(f"{verb} all links of {one_line(ended.customer)}")


def _print_link(link: PortalLinkView) -> None:
    out.print(link.url, soft_wrap=True)
    out.print(f"works until {zoned(link.expires_at)}", style="dim")
