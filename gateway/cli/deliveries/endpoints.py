"""`slipgate endpoints …`: who is told of a project's events; needs an ops key."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from gateway.cli.console.output import (
    AsJson,
    CommandFailed,
    plain,
    print_document,
)
from gateway.cli.console.terminal import print_table, screen
from gateway.cli.http.client import (
    Client,
    decode,
    open_client,
    path_part,
)
from gateway.cli.http.replies import Answer, DeliveryAttemptView

endpoints: Final = typer.Typer(no_args_is_help=True, help="who is told of a project's events")

EndpointId = Annotated[str, typer.Argument(metavar="ID", help="ep_…")]
Types = Annotated[
    list[str] | None, typer.Option("--type", help="task.completed, task.*, …; several")
]
Headers = Annotated[
    list[str] | None,
    typer.Option("--header", help="Name=@FILE, or Name=- for stdin: a value is never an argument"),
]
Rate = Annotated[float | None, typer.Option(min=0.001, max=10_000, help="requests a second")]
Description = Annotated[str | None, typer.Option(help="whose it is")]


class Backlog(StrEnum):
    """What becomes of the events that were held."""

    DELIVER = "deliver"
    DEAD = "dead"


class EndpointView(Answer, frozen=True, kw_only=True):
    """An endpoint."""

    id: str
    project: str
    url: str
    implicit: bool
    enabled: bool
    event_types: tuple[str, ...]
    headers: tuple[str, ...] = ()
    description: str | None = None
    disabled_reason: str | None = None
    failing_since: str | None = None
    rate_per_second: float | None = None
    created_at: str = ""
    secret: str | None = None


class EndpointPage(Answer, frozen=True, kw_only=True):
    """A page of a list."""

    data: tuple[EndpointView, ...]
    next_cursor: str | None = None


class SecretView(Answer, frozen=True, kw_only=True):
    """A new secret."""

    key_id: str
    secret: str | None


class ReplayView(Answer, frozen=True, kw_only=True):
    """A job that sends deliveries again."""

    id: str
    status: str
    matched: int


@endpoints.command()
def create(
    url: Annotated[str, typer.Option(help="where the events go")],
    project: Annotated[str, typer.Option(help="whose events")] = "default",
    types: Types = None,
    headers: Headers = None,
    description: Description = None,
    rate: Rate = None,
    as_json: AsJson = False,
) -> None:
    """Have a project's events sent to an address; the secret is shown this once."""
    wanted = {
        "url": url,
        "project": project,
        "eventTypes": types or None,
        "headers": _headers(headers),
        "description": description,
        "ratePerSecond": rate,
    }
    with open_client() as client:
        answer = client.post("/v1/endpoints", wanted)
    if as_json:
        print_document(answer)
        return
    made = decode(EndpointView, answer)
    screen.print(f"endpoint  {made.id}", markup=False)
    screen.print(f"secret    {made.secret or '-'}", markup=False)
    screen.print("The secret is shown this once.", style="dim")


@endpoints.command("list")
def list_endpoints(
    project: Annotated[str | None, typer.Option(help="only of this project")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[str | None, typer.Option(help="nextCursor of the page before")] = None,
    as_json: AsJson = False,
) -> None:
    """Endpoints, newest first; those of callbacks too."""
    given = {"project": project, "cursor": cursor}
    query: dict[str, str | int] = {name: value for name, value in given.items() if value}
    with open_client() as client:
        answer = client.get("/v1/endpoints", limit=limit, **query)
    if as_json:
        print_document(answer)
        return
    page = decode(EndpointPage, answer)
    if not page.data:
        screen.print("No endpoints. Make one: `slipgate endpoints create`.", markup=False)
        return
    table = Table("id", "project", "state", "events", "address", box=None, pad_edge=False)
    for each in page.data:
        events = f"{len(each.event_types)} types"
        row = (each.id, each.project, _state(each), events, each.url)
        table.add_row(*(escape(plain(cell)) for cell in row))
    print_table(table)
    if page.next_cursor:
        screen.print(f"more: --cursor {page.next_cursor}", style="dim", markup=False)


@endpoints.command()
def show(endpoint_id: EndpointId, as_json: AsJson = False) -> None:
    """One endpoint as it stands."""
    with open_client() as client:
        _tell(client.get(f"/v1/endpoints/{path_part(endpoint_id)}"), as_json=as_json)


@endpoints.command()
def update(
    endpoint_id: EndpointId,
    url: Annotated[str | None, typer.Option(help="where the events go")] = None,
    types: Types = None,
    headers: Headers = None,
    description: Description = None,
    rate: Rate = None,
    as_json: AsJson = False,
) -> None:
    """Change what is named; the rest stays."""
    given = {
        "url": url,
        "eventTypes": types or None,
        "headers": _headers(headers) or None,
        "description": description,
        "ratePerSecond": rate,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    with open_client() as client:
        answer = client.send("PATCH", f"/v1/endpoints/{path_part(endpoint_id)}", changes)
    _tell(answer, as_json=as_json)


@endpoints.command()
def delete(endpoint_id: EndpointId, as_json: AsJson = False) -> None:
    """End an endpoint: what it was still owed is dead."""
    with open_client() as client:
        answer = client.send("DELETE", f"/v1/endpoints/{path_part(endpoint_id)}")
    if as_json:
        print_document(answer)
    else:
        screen.print(f"deleted {endpoint_id}", markup=False)


@endpoints.command()
def enable(
    endpoint_id: EndpointId,
    backlog: Annotated[Backlog, typer.Option(help="what it missed")] = Backlog.DELIVER,
    as_json: AsJson = False,
) -> None:
    """Send it its events again: first those that were held, or drop them."""
    body = {"backlog": backlog.value}
    with open_client() as client:
        _tell(_post(client, endpoint_id, "enable", body), as_json=as_json)


@endpoints.command()
def disable(endpoint_id: EndpointId, as_json: AsJson = False) -> None:
    """Hold its events until it is enabled."""
    with open_client() as client:
        _tell(_post(client, endpoint_id, "disable"), as_json=as_json)


@endpoints.command()
def rotate(
    endpoint_id: EndpointId,
    overlap: Annotated[
        int, typer.Option(min=0, max=604_800, help="seconds the old secrets sign too; 0: none")
    ] = 86_400,
    as_json: AsJson = False,
) -> None:
    """Give it a new secret, shown this once."""
    with open_client() as client:
        answer = _post(client, endpoint_id, "rotate-secret", {"overlapSeconds": overlap})
    if as_json:
        print_document(answer)
        return
    made = decode(SecretView, answer)
    screen.print(f"secret  {made.secret or '-'}", markup=False)
    screen.print(f"key id  {made.key_id}", markup=False)


@endpoints.command("test")
def send_test(endpoint_id: EndpointId, as_json: AsJson = False) -> None:
    """Send it a signed test event; fails unless it answers 2xx."""
    with open_client() as client:
        answer = _post(client, endpoint_id, "test")
    attempt = decode(DeliveryAttemptView, answer)
    if as_json:
        print_document(answer)
    told = f"it answered {attempt.status}" if attempt.status else f"no answer: {attempt.reason}"
    if attempt.reason is not None:
        raise CommandFailed(
            f"The test event did not arrive: {plain(told)}.",
            "Is the address right, and does its receiver verify with the endpoint's secret?",
        )
    if not as_json:
        screen.print(plain(told), markup=False)


@endpoints.command()
def replay(
    endpoint_id: EndpointId,
    since: Annotated[str, typer.Option(help="a moment, 2026-01-31T12:00:00Z")],
    until: Annotated[str | None, typer.Option(help="a moment; else now")] = None,
    only_failed: Annotated[bool, typer.Option("--only-failed", help="not what arrived")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only count them")] = False,
    as_json: AsJson = False,
) -> None:
    """Send the deliveries of a time again; the gateway goes on with it by itself."""
    wanted = {"since": since, "until": until, "onlyFailed": only_failed, "dryRun": dry_run}
    with open_client() as client:
        answer = _post(client, endpoint_id, "replay", wanted)
    if as_json:
        print_document(answer)
        return
    job = decode(ReplayView, answer)
    screen.print(f"{job.id} {job.status}: see `slipgate endpoints replayed {job.id}`", markup=False)


@endpoints.command()
def replayed(
    replay_id: Annotated[str, typer.Argument(metavar="ID", help="rpl_…")], as_json: AsJson = False
) -> None:
    """How far a replay has come."""
    with open_client() as client:
        answer = client.get(f"/v1/replays/{path_part(replay_id)}")
    if as_json:
        print_document(answer)
        return
    job = decode(ReplayView, answer)
    screen.print(f"{job.id} {job.status}: {job.matched} deliveries so far", markup=False)


def _post(client: Client, endpoint_id: str, verb: str, body: object = None) -> bytes:
    return client.post(f"/v1/endpoints/{path_part(endpoint_id)}/{verb}", body)


def _tell(answer: bytes, *, as_json: bool) -> None:
    if as_json:
        print_document(answer)
        return
    found = decode(EndpointView, answer)
    rows = {
        "endpoint": found.id,
        "project": found.project,
        "address": found.url,
        "state": _state(found),
        "events": ", ".join(found.event_types),
        "description": found.description,
        "headers": ", ".join(found.headers),
        "rate": f"{found.rate_per_second:g} a second" if found.rate_per_second else None,
        "failing since": found.failing_since,
        "created": found.created_at,
    }
    for name, value in rows.items():
        if value:
            screen.print(f"{name:<14} {plain(value)}", markup=False)


def _state(endpoint: EndpointView) -> str:
    if not endpoint.enabled:
        return f"disabled: {endpoint.disabled_reason or '-'}"
    kind = "callbacks, " if endpoint.implicit else ""
    return f"{kind}failing" if endpoint.failing_since else f"{kind}enabled"


def _headers(given: list[str] | None) -> dict[str, str]:
    """`Name=@FILE` and `Name=-`: what stands in an argument stands in every list of processes."""
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
