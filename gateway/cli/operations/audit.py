"""`slipgate audit`: who changed what."""

from functools import partial
from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson
from gateway.cli.console.terminal import print_page
from gateway.cli.console.times import zoned
from gateway.cli.http.client import open_client, present
from gateway.wire.keys import AuditEntryView
from gateway.wire.tasks import Page

_COLUMNS: Final = ("at", "actor", "action", "target", "project", "detail")
_NOTHING: Final = "Nothing was changed, or no entry matches."


def audit(
    actor: Annotated[
        str | None, typer.Option(help="key:<id>, cli, agent, launcher:<id> or gateway")
    ] = None,
    after: Annotated[str | None, typer.Option(help="only changes after this RFC 3339 time")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="entries to show")] = 50,
    cursor: Annotated[str | None, typer.Option(help="nextCursor of the page before")] = None,
    as_json: AsJson = False,
) -> None:
    """List changes with their actors, newest first; needs an ops key.

    Example: slipgate audit --actor=cli

    Example: slipgate audit --json
    """
    with open_client() as client:
        answer = client.get("/v1/audit", actor=actor, after=after, limit=limit, cursor=cursor)
    show_page = partial(print_page, names=_COLUMNS, row=_row, empty=_NOTHING)
    present(Page[AuditEntryView], answer, show_page, as_json=as_json)


def _row(entry: AuditEntryView) -> tuple[str, ...]:
    detail = " ".join(f"{name}={_text(value)}" for name, value in entry.detail.items())
    project = entry.project or "(all)"
    return zoned(entry.at), entry.actor, entry.action, entry.target, project, detail


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
