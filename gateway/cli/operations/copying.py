"""`slipgate copy`: a SQLite file onto a PostgreSQL server, or back."""

import os
import secrets
import time
from typing import Annotated

import typer

from gateway.cli.console.output import AsJson, CommandFailed, print_document
from gateway.cli.console.progress import in_progress
from gateway.cli.console.terminal import out
from gateway.cli.local.state import has_master_keys, read_master_keys
from gateway.settings import read_database
from gateway.store.administration import audit, open_copy
from gateway.store.location import Location, PostgresAddress
from gateway.wire.environment import SettingsError
from gateway.wire.message import Reply


class Copied(Reply, frozen=True, kw_only=True):
    """The JSON of `copy`."""

    ok: bool
    source: str
    target: str
    seconds: float
    rows: int
    tasks: int
    events: int
    problems: tuple[str, ...]


def copy(
    to: Annotated[str, typer.Option(metavar="URL", help="the new database, file or server")],
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="default: SLIPGATE_DATABASE_URL"),
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="give up an earlier copy of the same database")
    ] = False,
    with_problems: Annotated[
        bool,
        typer.Option("--with-problems", help="finish, though the copied rows have problems"),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the whole database to PostgreSQL, or back to a file, and check the copy; no gateway may
    run. Stopped in the middle, the same command goes on.

    Example: slipgate copy --to postgresql://slipgate@db.example/slipgate

    Example: slipgate copy --from postgresql://slipgate@db.example/slipgate --to sqlite:///s.db
    """
    source = read_database(os.environ) if from_ is None else _location(from_, "--from")
    target = _location(to, "--to")
    if not isinstance(source, PostgresAddress) and not source.exists():
        raise CommandFailed(f"There is no database at {source}.", "Name the source with --from.")
    copied = _copied(source, target, anew=anew, with_problems=with_problems)
    if as_json:
        print_document(copied)
    else:
        out.print(
            f"{copied.tasks} tasks, {copied.events} events, {copied.rows} rows in all, "
            f"{copied.seconds} s: {copied.target}"
        )
        for problem in copied.problems:
            out.print(f"  {problem}")
        if copied.ok:
            out.print(
                "Set SLIPGATE_DATABASE_URL to it, keep SLIPGATE_SECRET_KEYS, start the gateway.",
                style="dim",
            )
    if not copied.ok:
        raise CommandFailed(
            "The copy is whole, and its rows have problems.",
            "See whether `slipgate verify` has the same ones in the source; then run this command "
            "again with --with-problems. Until then no gateway starts on the copy.",
        )


def _copied(source: Location, target: Location, *, anew: bool, with_problems: bool) -> Copied:
    keys = read_master_keys(os.environ) if has_master_keys(os.environ) else None
    begun = time.monotonic()
    with open_copy(source, target) as copying:
        copying.begin(secrets.token_hex(16), anew=anew)
        with in_progress("Copying the rows") as on_progress:
            copying.copy_rows(on_progress)
        with in_progress("Making the indexes") as on_progress:
            copying.make_indexes(on_progress)
        with in_progress("Checking the copy") as on_progress:
            found = audit(target, key_ids=keys, on_progress=on_progress)
        ok = with_problems or not found.total
        if ok:
            copying.end()
    return Copied(
        ok=ok,
        source=_shown(source),
        target=_shown(target),
        seconds=round(time.monotonic() - begun, 1),
        rows=copying.rows,
        tasks=found.tasks,
        events=found.events,
        problems=found.problems,
    )


def _location(url: str, option: str) -> Location:
    try:
        return read_database({"SLIPGATE_DATABASE_URL": url})
    except SettingsError as exc:
        text = str(exc).replace("SLIPGATE_DATABASE_URL", "the address")
        raise typer.BadParameter(text, param_hint=option) from exc


def _shown(location: Location) -> str:
    return location.shown if isinstance(location, PostgresAddress) else f"sqlite:///{location}"
