"""`slipgate restore`: a backup into a new database, or a drill that leaves nothing behind."""

import os
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.console.output import AsJson, CommandFailed, print_document
from gateway.cli.console.progress import in_progress
from gateway.cli.console.terminal import out
from gateway.cli.local.state import has_master_keys, read_master_keys
from gateway.cli.operations.database import of_file
from gateway.settings import read_database
from gateway.store.administration import audit, bring_up_to_date, newest, note_recovery
from gateway.store.sql.admin.audit import Audit
from gateway.store.sqlite.admin.backup import back_up
from gateway.wire.message import Reply


class Restored(Reply, frozen=True, kw_only=True):
    """The JSON of `restore`."""

    ok: bool
    file: str | None
    """The new database; None: it was a drill."""
    seconds: float
    schema: int
    applied: int
    """Migrations that the backup needed."""
    tasks: int
    events: int
    problems: tuple[str, ...]


def restore(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="the backup")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="a drill: restore into a temporary file and delete it")
    ] = False,
    recovered: Annotated[
        bool,
        typer.Option(
            "--recovered",
            help="the database itself was recovered to an earlier moment, by PostgreSQL or from a "
            "snapshot of its disk: the next start treats it as a restored backup",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into a new database, migrate it and check it whole.

    Example: slipgate restore --check /backups/slipgate.db

    Example: slipgate restore /backups/slipgate.db && slipgate gateway --take-over

    Example: slipgate restore --recovered && slipgate gateway --take-over
    """
    if recovered != (file is None) or (recovered and check):
        raise typer.BadParameter("Name a backup, or give --recovered alone.", param_hint="FILE")
    if file is None:
        _note_recovery(as_json=as_json)
        return
    database = of_file(read_database(os.environ))
    if not file.exists():
        raise CommandFailed(f"There is no backup at {file}.", "Make one: `slipgate backup FILE`.")
    if check:
        with tempfile.TemporaryDirectory(dir=_folder(database), prefix=".restore-") as folder:
            restored = _restored(file, Path(folder) / "slipgate.db", is_drill=True)
    else:
        restored = _restored(file, _new_file(database), is_drill=False)
    if as_json:
        print_document(restored)
    else:
        _print(restored)
    if not restored.ok:
        raise CommandFailed(
            f"The backup {file} is not sound.",
            "Check an older one, and run `slipgate verify` on the database it was taken from.",
        )


def _note_recovery(*, as_json: bool) -> None:
    note_recovery(read_database(os.environ))
    if as_json:
        print_document({"recovered": True})
    else:
        out.print("The next start treats the database as a restored backup.")
        out.print("Start it: slipgate gateway --take-over", style="dim")


def _restored(file: Path, target: Path, *, is_drill: bool) -> Restored:
    keys = read_master_keys(os.environ) if has_master_keys(os.environ) else None
    begun = time.monotonic()
    with in_progress(f"Restoring {file}") as on_progress:
        try:
            back_up(file, target, on_progress=on_progress)
            migrated = bring_up_to_date(target)
            found: Audit = audit(target, key_ids=keys, on_progress=on_progress)
        except sqlite3.DatabaseError as exc:
            raise CommandFailed(
                f"{file} is not a backup of slipgate, or it is damaged: {exc}.",
                "Take an older one; `slipgate restore --check` tries each.",
            ) from exc
    return Restored(
        ok=not found.total,
        file=None if is_drill else str(target),
        seconds=round(time.monotonic() - begun, 1),
        schema=newest(target),
        applied=len(migrated.applied),
        tasks=found.tasks,
        events=found.events,
        problems=found.problems,
    )


def _print(restored: Restored) -> None:
    where = f"restored into {restored.file}" if restored.file else "can be restored"
    out.print(
        f"{where}: {restored.tasks} tasks, {restored.events} events, schema {restored.schema} "
        f"({restored.applied} migrations), {restored.seconds} s"
    )
    for problem in restored.problems:
        out.print(f"  {problem}")
    if not has_master_keys(os.environ):
        out.print("Set SLIPGATE_SECRET_KEYS to look for missing keys too.", style="dim")
    if restored.file and restored.ok:
        out.print("Start it: slipgate gateway --take-over", style="dim")


def _folder(database: Path) -> Path:
    """The folder of the database: it has the room, and its disk is the one to restore to."""
    folder = database.parent
    return folder if folder.is_dir() else Path(tempfile.gettempdir())


def _new_file(path: Path) -> Path:
    if path.exists():
        raise CommandFailed(
            f"There is a database at {path}, which is not replaced.",
            "Stop its gateway and move the file away with its -wal and -shm; or set "
            "SLIPGATE_DATABASE_URL to a new file; or run a drill with --check.",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
