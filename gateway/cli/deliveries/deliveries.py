"""`slipgate deliveries …`: events sent to endpoints, and the answers; needs an ops key."""

from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson, one_line
from gateway.cli.console.terminal import out, print_page
from gateway.cli.console.times import zoned
from gateway.cli.http.client import change_of, open_client, present
from gateway.cli.http.options import DryRun, Reason
from gateway.cli.http.paths import path_part
from gateway.cli.tasks.printing import DELIVERY_COLUMNS, answer_text, delivery_row
from gateway.domain.deliveries.reasons import ADVICE
from gateway.wire.deliveries import DeliveryAttemptView, DeliveryView
from gateway.wire.tasks import Page

deliveries: Final = typer.Typer(
    no_args_is_help=True,
    help="List deliveries and send them again.\n\nExample: slipgate deliveries list --status=dead",
)

DeliveryId = Annotated[str, typer.Argument(metavar="ID", help="dlv_…")]


class State(StrEnum):
    """The states of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    SUPERSEDED = "superseded"
    HELD = "held"


@deliveries.command("list")
def list_deliveries(
    endpoint: Annotated[str | None, typer.Option(help="only to this endpoint")] = None,
    task: Annotated[str | None, typer.Option(help="only of this task's events")] = None,
    customer: Annotated[str | None, typer.Option(help="only to endpoints of this customer")] = None,
    status: Annotated[State | None, typer.Option(help="only in this state")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="deliveries to show")] = 50,
    cursor: Annotated[str | None, typer.Option(help="nextCursor of the page before")] = None,
    as_json: AsJson = False,
) -> None:
    """List deliveries, those of the newest events first.

    Example: slipgate deliveries list --task=task_01k…

    Example: slipgate deliveries list --json
    """
    query = {"endpointId": endpoint, "taskId": task, "customer": customer, "status": status}
    query["cursor"] = cursor
    with open_client() as client:
        answer = client.get("/v1/deliveries", limit=limit, **query)
    show_page = partial(
        print_page, names=DELIVERY_COLUMNS, row=delivery_row, empty="No such deliveries."
    )
    present(Page[DeliveryView], answer, show_page, as_json=as_json)


@deliveries.command()
def show(delivery_id: DeliveryId, as_json: AsJson = False) -> None:
    """Show a delivery with all its attempts.

    Example: slipgate deliveries show dlv_01k…

    Example: slipgate deliveries show dlv_01k… --json
    """
    with open_client() as client:
        answer = client.get(f"/v1/deliveries/{path_part(delivery_id, of='deliveries list')}")
    present(DeliveryView, answer, _print, as_json=as_json)


@deliveries.command()
def retry(
    delivery_id: DeliveryId, reason: Reason = None, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Send a delivery again now, whatever its state.

    Example: slipgate deliveries retry dlv_01k…

    Example: slipgate deliveries retry dlv_01k… --dry-run
    """
    with open_client() as client:
        body = change_of(reason, is_dry_run=dry_run)
        answer = client.post(
            f"/v1/deliveries/{path_part(delivery_id, of='deliveries list')}/retry", body
        )
    present(DeliveryView, answer, _print, as_json=as_json, is_dry_run=dry_run)


def _print(delivery: DeliveryView) -> None:
    reason = f" ({delivery.reason})" if delivery.reason else ""
    again = f", next at {zoned(delivery.next_attempt_at)}" if delivery.next_attempt_at else ""
    out.print(f"{delivery.id}  {delivery.type}  {delivery.status}{one_line(reason)}{again}")
    for attempt in delivery.attempts:
        answer = f"{answer_text(attempt)} after {attempt.duration_ms} ms"
        out.print(one_line(f"  {zoned(attempt.at)}  {attempt.trigger}: {answer}"))
    print_advice(delivery.attempts[-1:])


def print_advice(attempts: Sequence[DeliveryAttemptView]) -> None:
    """Prints how to mend the first failure that has advice."""
    found = (ADVICE[one.reason] for one in attempts if one.reason in ADVICE)
    for advice in islice(found, 1):
        out.print("next", style="bold", end="")
        out.print(f":  {advice}")
