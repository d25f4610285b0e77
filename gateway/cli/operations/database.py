"""`slipgate migrate`, `verify` and `backup`: commands that open the database."""

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.console.output import AsJson, CommandFailed, print_document
from gateway.cli.console.progress import in_progress
from gateway.cli.console.terminal import out
from gateway.cli.local.state import has_master_keys, read_master_keys
from gateway.settings import read_database
from gateway.store.administration import audit, bring_up_to_date, newest, pending
from gateway.store.location import Location, PostgresAddress
from gateway.store.sql.admin.audit import Audit
from gateway.store.sqlite.admin.backup import back_up
from gateway.wire.message import Reply


class Migrated(Reply, frozen=True, kw_only=True):
    """The JSON of `migrate`."""

    schema: int
    applied: tuple[int, ...]
    pending: tuple[int, ...]
    backup: str | None
    """The file with the database before the migration."""


class BackedUp(Reply, frozen=True, kw_only=True):
    """The JSON of `backup`."""

    file: str
    size: int
    """Bytes."""
    schema: int
    instance_id: str | None
    tasks: int
    events: int


class Verified(Reply, frozen=True, kw_only=True):
    """The JSON of `verify`."""

    ok: bool
    tasks: int
    events: int
    problems: tuple[str, ...]


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="change nothing; exit 1 if a migration is pending")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Migrate the database to this version's schema.

    Example: slipgate migrate --check

    Example: slipgate migrate
    """
    location = read_database(os.environ)
    if check:
        _existing(location)
    elif isinstance(location, Path):
        location.parent.mkdir(parents=True, exist_ok=True)
    done = None if check else bring_up_to_date(location)
    waiting = tuple(pending(location))
    applied, kept = (done.applied, done.backup) if done else ((), None)
    if as_json:
        file = str(kept) if kept else None
        schema = newest(location)
        print_document(Migrated(schema=schema, applied=applied, pending=waiting, backup=file))
    else:
        out.print(f"schema {newest(location)}: applied {len(applied)}, pending {len(waiting)}")
        if kept:
            out.print(f"the database before the migration: {kept}")
    if waiting:
        raise CommandFailed("The database is behind this version.", "Run `slipgate migrate`.")


def verify(as_json: AsJson = False) -> None:
    """Check the whole database against slipgate's invariants; a gateway may run.

    Example: slipgate verify --json

    Example: slipgate verify
    """
    keys = read_master_keys(os.environ) if has_master_keys(os.environ) else None
    location = _existing(read_database(os.environ))
    with in_progress("Checking the database") as on_progress:
        found = audit(location, key_ids=keys, on_progress=on_progress)
    ok = not found.total
    if as_json:
        print_document(
            Verified(ok=ok, tasks=found.tasks, events=found.events, problems=found.problems)
        )
    else:
        out.print(summary(found))
        for problem in found.problems:
            out.print(f"  {problem}")
        if keys is None:
            out.print("Set SLIPGATE_SECRET_KEYS to look for missing keys too.", style="dim")
    if not ok:
        raise CommandFailed(
            f"{found.total} problems.",
            f"First take a copy with {_copying(location)}. Set a missing key in "
            "SLIPGATE_SECRET_KEYS, revoke a secret that stands in an event; anything else is a "
            "bug in slipgate or a damaged disk: report the lines above.",
        )


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="path of the copy")],
    force: Annotated[bool, typer.Option("--force", help="replace an existing file")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the database and check the copy; a gateway may run.

    Example: slipgate backup /backups/slipgate.db

    Example: slipgate backup --force /backups/newest.db
    """
    path = of_file(_existing(read_database(os.environ)))
    with in_progress("Copying and checking the database") as on_progress:
        contents = back_up(path, file, overwrite=force, on_progress=on_progress)
    if as_json:
        print_document(
            BackedUp(
                file=str(file),
                size=file.stat().st_size,
                schema=contents.schema,
                instance_id=contents.instance_id,
                tasks=contents.tasks,
                events=contents.events,
            )
        )
        return
    out.print(f"{contents.tasks} tasks, {contents.events} events: {file}")
    out.print(
        f"Try it: slipgate restore --check {file}. To restore: stop the gateway, move the "
        "database away (with its -wal and -shm), restore without --check, start with "
        "--take-over.",
        style="dim",
    )


def summary(found: Audit) -> str:
    return (
        f"{found.tasks} tasks, {found.events} events, {found.total} problems, "
        f"{found.pending} deliveries pending"
    )


def of_file(location: Location) -> Path:
    """The file of the database."""
    if isinstance(location, PostgresAddress):
        raise CommandFailed(
            "`slipgate backup` and `slipgate restore FILE` copy a file of SQLite; this database is "
            f"on a PostgreSQL server ({location.shown}).",
            "Copy it with `pg_dump --format=custom` or by the server's continuous archiving; bring "
            "it back with `pg_restore` into another database, which a gateway knows as a copy, or "
            "by a recovery to a moment, and then run `slipgate restore --recovered`.",
        )
    return location


def _copying(location: Location) -> str:
    return "`pg_dump`" if isinstance(location, PostgresAddress) else "`slipgate backup FILE`"


def _existing(location: Location) -> Location:
    if isinstance(location, Path) and not location.exists():
        raise CommandFailed(
            f"There is no database at {location}.",
            "Set SLIPGATE_DATABASE_URL, or run `slipgate up` in this folder once.",
        )
    return location
