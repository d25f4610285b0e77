"""`slipgate endpoints …`: receivers of a project's events; needs an ops key."""

import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson, CommandFailed, one_line, print_document
from gateway.cli.console.terminal import out, print_fields, print_page
from gateway.cli.console.times import zoned
from gateway.cli.deliveries.deliveries import print_advice
from gateway.cli.deliveries.replays import replay, replayed
from gateway.cli.http.client import change_of, decode, open_client, present
from gateway.cli.http.options import DryRun, Reason
from gateway.cli.http.paths import EndpointId, endpoint_path
from gateway.cli.local.state import STATE, State
from gateway.cli.operations.minting import callback_secret_here
from gateway.cli.tasks.printing import answer_text
from gateway.cli.webhook.secret import read_secrets
from gateway.domain.deliveries.reasons import ADVICE
from gateway.wire.deliveries import DeliveryAttemptView, DeliveryView
from gateway.wire.endpoints import (
    DeletedEndpoint,
    EndpointView,
    NewEndpointView,
    SecretView,
)
from gateway.wire.tasks import Page

endpoints: Final = typer.Typer(
    no_args_is_help=True,
    help="Create, change and test the endpoints that receive events.\n\n"
    "Example: slipgate endpoints create --url=https://app.example/hook",
)

_CHECK: Final = "Check the address, and that its receiver verifies with the endpoint's secret."
Types = Annotated[
    list[str] | None, typer.Option("--type", help="task.completed, task.*, …; several")
]
Headers = Annotated[
    list[str] | None,
    typer.Option("--header", help="Name=@FILE, or Name=- for stdin: a value is never an argument"),
]
Rate = Annotated[float | None, typer.Option(min=0.001, max=10_000, help="requests a second")]
Customer = Annotated[
    str | None, typer.Option(help="customer of your application whose events alone it receives")
]
Description = Annotated[str | None, typer.Option(help="a note, such as its owner")]


class Format(StrEnum):
    """The form of the webhooks."""

    STANDARD = "standard"
    SLACK = "slack"


class Backlog(StrEnum):
    """The fate of the events that were held."""

    DELIVER = "deliver"
    DEAD = "dead"


@endpoints.command()
def create(
    url: Annotated[str, typer.Option(help="address of the receiver")],
    project: Annotated[str, typer.Option(help="project whose events it receives")] = "default",
    customer: Customer = None,
    types: Types = None,
    headers: Headers = None,
    description: Description = None,
    rate: Rate = None,
    form: Annotated[
        Format, typer.Option("--format", help="slack: for a Slack incoming webhook")
    ] = Format.STANDARD,
    secret_file: Annotated[
        Path | None,
        typer.Option(help="the secret that its receiver knows; - is stdin; default: a new one"),
    ] = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Create an endpoint; its secret is shown this once.

    In the folder of `slipgate up` it has the project's callback secret, as everything there but the
    endpoints of customers.

    Example: slipgate endpoints create --url=https://app.example/hook --type=task.*
    """
    secret = secret_of(secret_file, project, customer)
    wanted = change_of(
        reason,
        is_dry_run=dry_run,
        project=project,
        customer=customer,
        format=form.value,
        secret=secret,
    )
    wanted |= _fields(url, types, headers, description, rate)
    with open_client() as client:
        answer = client.post("/v1/endpoints", wanted)
    if dry_run:
        present(EndpointView, answer, _print, as_json=as_json, is_dry_run=True)
    else:
        present(NewEndpointView, answer, _print_created, as_json=as_json)


def secret_of(file: Path | None, project: str, customer: str | None) -> str | None:
    """The secret of a new endpoint; None: the gateway makes one."""
    if file is not None:
        return read_secrets(file)[0].text
    # A customer that had the callback secret could sign whatever the project believes.
    is_shared = STATE.exists() and project == "default" and customer is None
    return callback_secret_here(State(STATE)) if is_shared else None


def _print_created(endpoint: NewEndpointView) -> None:
    out.print(f"endpoint  {endpoint.id}")
    out.print(f"secret    {endpoint.secret or '-'}")
    out.print("The secret is shown this once.", style="dim")


@endpoints.command("list")
def list_endpoints(
    project: Annotated[str | None, typer.Option(help="only of this project")] = None,
    customer: Annotated[str | None, typer.Option(help="only of this customer")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="endpoints to show")] = 50,
    cursor: Annotated[str | None, typer.Option(help="nextCursor of the page before")] = None,
    as_json: AsJson = False,
) -> None:
    """List endpoints, newest first, with those of callbacks.

    Example: slipgate endpoints list --project=default
    """
    with open_client() as client:
        query = {"project": project, "customer": customer, "cursor": cursor}
        answer = client.get("/v1/endpoints", limit=limit, **query)
    show_page = partial(
        print_page,
        names=("id", "project", "customer", "state", "events", "address"),
        row=_row,
        empty="No endpoints. Create one: `slipgate endpoints create`.",
    )
    present(Page[EndpointView], answer, show_page, as_json=as_json)


def _row(endpoint: EndpointView) -> tuple[str, ...]:
    types = f"{len(endpoint.event_types)} types"
    customer = endpoint.customer or ""
    return endpoint.id, endpoint.project, customer, _state(endpoint), types, endpoint.url


@endpoints.command()
def show(endpoint_id: EndpointId, as_json: AsJson = False) -> None:
    """Show an endpoint.

    Example: slipgate endpoints show ep_01k…
    """
    with open_client() as client:
        answer = client.get(endpoint_path(endpoint_id))
        present(EndpointView, answer, _print, as_json=as_json)
        if not as_json and decode(EndpointView, answer).failing_since:
            recent = client.get("/v1/deliveries", endpointId=endpoint_id, limit=20)
            found = decode(Page[DeliveryView], recent).data
            print_advice([one.attempts[-1] for one in found if one.attempts])


@endpoints.command()
def update(
    endpoint_id: EndpointId,
    url: Annotated[str | None, typer.Option(help="address of the receiver")] = None,
    types: Types = None,
    headers: Headers = None,
    description: Description = None,
    rate: Rate = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Change the named fields of an endpoint; the others stay.

    Example: slipgate endpoints update ep_01k… --rate=5
    """
    changes = change_of(reason, is_dry_run=dry_run)
    changes |= _fields(url, types, headers, description, rate)
    _change("PATCH", endpoint_id, changes, as_json=as_json)


@endpoints.command()
def delete(
    endpoint_id: EndpointId, reason: Reason = None, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Delete an endpoint; its pending deliveries are dead.

    Example: slipgate endpoints delete ep_01k…
    """
    with open_client() as client:
        query = {"reason": reason, "dryRun": "true" if dry_run else None}
        answer = client.call("DELETE", endpoint_path(endpoint_id), query=query)
    present(DeletedEndpoint, answer, _print_deleted, as_json=as_json, is_dry_run=dry_run)


def _print_deleted(endpoint: DeletedEndpoint) -> None:
    out.print(f"{'deleted' if endpoint.deleted else 'would delete'} {endpoint.id}")


@endpoints.command()
def enable(
    endpoint_id: EndpointId,
    backlog: Annotated[
        Backlog, typer.Option(help="send the events that were held, or drop them")
    ] = Backlog.DELIVER,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send an endpoint its events again.

    Example: slipgate endpoints enable ep_01k… --backlog=dead
    """
    body = change_of(reason, is_dry_run=dry_run, backlog=backlog.value)
    _change("POST", endpoint_id, body, verb="/enable", as_json=as_json)


@endpoints.command()
def disable(
    endpoint_id: EndpointId, reason: Reason = None, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Hold an endpoint's events until it is enabled.

    Example: slipgate endpoints disable ep_01k… --reason="its receiver moves"
    """
    body = change_of(reason, is_dry_run=dry_run)
    _change("POST", endpoint_id, body, verb="/disable", as_json=as_json)


def _change(
    method: str, endpoint_id: str, body: dict[str, object], *, verb: str = "", as_json: bool
) -> None:
    path = f"{endpoint_path(endpoint_id)}{verb}"
    with open_client() as client:
        answer = client.post(path, body) if method == "POST" else client.call(method, path, body)
    present(EndpointView, answer, _print, as_json=as_json, is_dry_run="dryRun" in body)


@endpoints.command()
def rotate(
    endpoint_id: EndpointId,
    overlap: Annotated[
        int, typer.Option(min=0, max=604_800, help="seconds the old secrets sign too; 0: none")
    ] = 86_400,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give an endpoint a new secret, shown this once.

    Example: slipgate endpoints rotate ep_01k… --overlap=3600
    """
    body = change_of(reason, is_dry_run=dry_run, overlapSeconds=overlap)
    with open_client() as client:
        answer = client.post(f"{endpoint_path(endpoint_id)}/rotate-secret", body)
    present(SecretView, answer, _print_secret, as_json=as_json, is_dry_run=dry_run)


def _print_secret(made: SecretView) -> None:
    out.print(f"secret  {made.secret or '-'}")
    out.print(f"key id  {made.key_id}")


@endpoints.command("test")
def send_test(endpoint_id: EndpointId, as_json: AsJson = False) -> None:
    """Send an endpoint a signed test event; exit 1 unless it answers 2xx.

    Example: slipgate endpoints test ep_01k…
    """
    with open_client() as client:
        answer = client.post(f"{endpoint_path(endpoint_id)}/test")
    attempt = decode(DeliveryAttemptView, answer)
    if as_json:
        print_document(answer)
    answered = answer_text(attempt)
    result = f"it answered {answered}" if attempt.status else f"no answer: {answered}"
    if attempt.reason is not None:
        raise CommandFailed(
            f"The test event did not arrive: {one_line(result)}.",
            ADVICE.get(attempt.reason, _CHECK),
        )
    if not as_json:
        out.print(one_line(result))


endpoints.command()(replay)
endpoints.command()(replayed)


def _print(endpoint: EndpointView) -> None:
    rate = endpoint.rate_per_second
    print_fields(
        {
            "endpoint": endpoint.id,
            "project": endpoint.project,
            "customer": endpoint.customer,
            "address": endpoint.url,
            "format": endpoint.format,
            "state": _state(endpoint),
            "events": ", ".join(endpoint.event_types),
            "description": endpoint.description,
            "headers": ", ".join(endpoint.headers),
            "rate": f"{rate:g} a second" if rate else None,
            "failing since": zoned(endpoint.failing_since),
            "created": zoned(endpoint.created_at),
        }
    )


def _state(endpoint: EndpointView) -> str:
    if not endpoint.enabled:
        return f"disabled: {endpoint.disabled_reason or '-'}"
    kind = "callbacks, " if endpoint.implicit else ""
    return f"{kind}failing" if endpoint.failing_since else f"{kind}enabled"


def _fields(
    url: str | None,
    types: list[str] | None,
    headers: list[str] | None,
    description: str | None,
    rate: float | None,
) -> dict[str, object]:
    """The fields of a request; those that were not given are left out."""
    given = {
        "url": url,
        "eventTypes": types or None,
        "headers": _headers(headers) or None,
        "description": description,
        "ratePerSecond": rate,
    }
    return {name: value for name, value in given.items() if value is not None}


def _headers(given: list[str] | None) -> dict[str, str]:
    """Headers from `Name=@FILE` and `Name=-`: every user of a machine sees its processes'
    arguments."""
    headers: dict[str, str] = {}
    for text in given or []:
        name, _, source = text.partition("=")
        if source == "-":
            headers[name] = sys.stdin.read().strip()
        elif source.startswith("@"):
            headers[name] = Path(source[1:]).read_text(encoding="utf-8").strip()
        else:
            raise typer.BadParameter("expected Name=@FILE or Name=-", param_hint="--header")
    return headers
