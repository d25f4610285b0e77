"""`slipgate deliveries …`: what endpoints are owed, and what they answered; needs an ops key."""

from enum import StrEnum
from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson, plain, print_document
from gateway.cli.console.terminal import print_table, screen
from gateway.cli.http.client import decode, open_client, path_part
from gateway.cli.http.replies import Answer, DeliveryView
from gateway.cli.tasks.pages import delivery_table

deliveries: Final = typer.Typer(no_args_is_help=True, help="what endpoints are owed")

DeliveryId = Annotated[str, typer.Argument(metavar="ID", help="dlv_…")]


class State(StrEnum):
    """How a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    SUPERSEDED = "superseded"
    HELD = "held"


class DeliveryPage(Answer, frozen=True, kw_only=True):
    """A page of a list."""

    data: tuple[DeliveryView, ...]
    next_cursor: str | None = None


@deliveries.command("list")
def list_deliveries(
    endpoint: Annotated[str | None, typer.Option(help="only to this one")] = None,
    task: Annotated[str | None, typer.Option(help="only of this task's events")] = None,
    status: Annotated[State | None, typer.Option(help="only those that stand so")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[str | None, typer.Option(help="nextCursor of the page before")] = None,
    as_json: AsJson = False,
) -> None:
    """Deliveries, those of the newest events first."""
    given = {"endpointId": endpoint, "taskId": task, "status": status, "cursor": cursor}
    query: dict[str, str | int] = {name: str(value) for name, value in given.items() if value}
    with open_client() as client:
        answer = client.get("/v1/deliveries", limit=limit, **query)
    if as_json:
        print_document(answer)
        return
    page = decode(DeliveryPage, answer)
    if not page.data:
        screen.print("No such deliveries.", markup=False)
        return
    print_table(delivery_table(page.data))
    if page.next_cursor:
        screen.print(f"more: --cursor {page.next_cursor}", style="dim", markup=False)


@deliveries.command()
def show(delivery_id: DeliveryId, as_json: AsJson = False) -> None:
    """One delivery with every attempt to make it."""
    with open_client() as client:
        _tell(client.get(f"/v1/deliveries/{path_part(delivery_id)}"), as_json=as_json)


@deliveries.command()
def retry(delivery_id: DeliveryId, as_json: AsJson = False) -> None:
    """Send it now, whatever became of it."""
    with open_client() as client:
        _tell(client.post(f"/v1/deliveries/{path_part(delivery_id)}/retry"), as_json=as_json)


def _tell(answer: bytes, *, as_json: bool) -> None:
    if as_json:
        print_document(answer)
        return
    found = decode(DeliveryView, answer)
    again = f", next at {found.next_attempt_at}" if found.next_attempt_at else ""
    why = f" ({found.reason})" if found.reason else ""
    screen.print(f"{found.id}  {found.type}  {found.status}{plain(why)}{again}", markup=False)
    for attempt in found.attempts:
        answered = attempt.status or attempt.reason or "none"
        line = f"  {attempt.at}  {attempt.trigger}: {answered} after {attempt.duration_ms} ms"
        screen.print(plain(line), markup=False)
