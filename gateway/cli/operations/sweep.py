"""`slipgate sweep`: sandboxes that nobody wants any more, and a look for them right now."""

import time
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
from gateway.cli.http.client import Client, decode, open_client
from gateway.cli.http.replies import Answer

PATIENCE: Final = 60.0
"""Seconds that launchers have for it."""
LOOK: Final = 1.0


class Unwanted(Answer, frozen=True, kw_only=True):
    """A sandbox that no task wants."""

    name: str
    state: str
    task_id: str | None
    attempt: int | None
    created_at: str | None
    outcome: str
    reason: str


class Realm(Answer, frozen=True, kw_only=True):
    """A realm, and what was found there last."""

    provider: str
    realm: str
    project: str | None = None
    live: bool
    swept_at: str | None
    next_at: str | None
    seen: int
    unwanted: int
    sandboxes: tuple[Unwanted, ...]

    @property
    def place(self) -> str:
        """As launchers name it, and for whom."""
        place = f"{self.provider}@{self.realm}" if self.realm else self.provider
        return f"{place} of {self.project}" if self.project else place


class Sweeps(Answer, frozen=True, kw_only=True):
    """All realms that are served."""

    data: tuple[Realm, ...]


def sweep(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only show what the last sweeps have found")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Have launchers look for sandboxes that nobody wants; needs an ops key."""
    with open_client() as client:
        answer = client.get("/v1/sweeps") if dry_run else _swept(client)
    if as_json:
        print_document(answer)
        return
    found = decode(Sweeps, answer)
    if not found.data:
        screen.print("No launcher has called. Start one: `slipgate launcher`.", markup=False)
    for realm in found.data:
        _print(realm)


def _swept(client: Client) -> bytes:
    """Asks, and waits until each realm whose launcher calls was swept anew."""
    before = decode(Sweeps, client.post("/v1/sweeps"))
    last = {realm.place: realm.swept_at for realm in before.data}
    end = time.monotonic() + PATIENCE
    while True:
        answer = client.get("/v1/sweeps")
        late = [
            realm.place
            for realm in decode(Sweeps, answer).data
            if realm.live and realm.place in last and realm.swept_at == last[realm.place]
        ]
        if not late:
            return answer
        if time.monotonic() > end:
            raise CommandFailed(
                f"No launcher of {plain(', '.join(late))} has answered within {PATIENCE:.0f} s.",
                "Look at its log; the sweep is done as soon as it can.",
            )
        time.sleep(LOOK)


def _print(realm: Realm) -> None:
    when = f"swept at {realm.swept_at[:19]} UTC" if realm.swept_at else "not swept yet"
    silent = "" if realm.live else "; no launcher of it calls"
    screen.print(
        f"{plain(realm.place)}: {realm.seen} sandboxes of ours, {realm.unwanted} unwanted "
        f"({when}{silent})",
        markup=False,
    )
    if not realm.sandboxes:
        return
    table = Table("sandbox", "state", "made (UTC)", "task", "attempt", "", "why", box=None)
    for each in realm.sandboxes:
        table.add_row(
            escape(plain(each.name)),
            each.state,
            (each.created_at or "-")[:19],
            escape(plain(each.task_id or "-")),
            str(each.attempt or "-"),
            each.outcome,
            escape(plain(each.reason)),
        )
    print_table(table)
    if realm.unwanted > len(realm.sandboxes):
        screen.print(f"and {realm.unwanted - len(realm.sandboxes)} more", style="dim")
