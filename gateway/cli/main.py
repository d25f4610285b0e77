"""The list of all commands; only the one that is typed is imported."""

import sqlite3
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Final, NamedTuple

import typer

from gateway.cli.console.output import CommandFailed
from gateway.domain.kernel.errors import ApiError
from gateway.wire.environment import SettingsError

DONE, FAILED, USAGE = 0, 1, 2


class Listed(NamedTuple):
    """A command, or a group of commands, that is imported only when it is typed."""

    name: str
    module: str
    help: str
    """One line of at most 62 characters, so that 80 columns show it whole."""
    is_group: bool = False
    is_forwarded: bool = False
    """True if another program parses its options, help included."""


_PROGRAMS: Final = "gateway.cli.programs"
_LOCAL: Final = "gateway.cli.local"
_OPERATIONS: Final = "gateway.cli.operations"
_DELIVERIES: Final = "gateway.cli.deliveries"
_COMMANDS: Final = {
    "gateway": (_PROGRAMS, "Run the gateway; its settings are SLIPGATE_* variables."),
    "launcher": (_PROGRAMS, "Run a launcher against SLIPGATE_URL with SLIPGATE_API_KEY."),
    "doctor": (_PROGRAMS, "Check the launcher's environment; --live makes a sandbox."),
    "snapshot": (_PROGRAMS, "Build, push and check the snapshot of Daytona's sandboxes."),
    "up": (f"{_LOCAL}.up", "Run a gateway and a launcher; Ctrl-C stops them in order."),
    "demo": (f"{_LOCAL}.demo", "Run one task end to end on this machine, with a kill inside."),
    "migrate": (f"{_OPERATIONS}.database", "Migrate the database to this version's schema."),
    "verify": (f"{_OPERATIONS}.database", "Check the database; a gateway may run."),
    "backup": (f"{_OPERATIONS}.database", "Copy the database and check the copy."),
    "status": (f"{_OPERATIONS}.status", "Show what is wrong, since when, and what to do."),
    "reconcile": (f"{_OPERATIONS}.launchers", "Show what the reconciler would do now."),
    "sweep": (f"{_OPERATIONS}.sweep", "Remove orphan sandboxes: those that no task wants."),
}
_GROUPS: Final = {
    "launchers": (f"{_OPERATIONS}.launchers", "List launchers."),
    "endpoints": (
        f"{_DELIVERIES}.endpoints",
        "Create, change and test the endpoints that receive events.",
    ),
    "deliveries": (f"{_DELIVERIES}.deliveries", "List deliveries and send them again."),
    "keys": (f"{_OPERATIONS}.keys", "Create, list and revoke API keys; seal secrets anew."),
    "tasks": ("gateway.cli.tasks.commands", "Create, watch and steer tasks."),
    "bundle": ("gateway.cli.bundle.commands", "Replay run bundles."),
    "webhook": ("gateway.cli.webhook.commands", "Sign, verify, receive and forward webhooks."),
}
_FORWARDED: Final = frozenset({"doctor", "snapshot"})
COMMANDS: Final = (
    *(Listed(name, *listed, is_forwarded=name in _FORWARDED) for name, listed in _COMMANDS.items()),
    *(Listed(name, *listed, is_group=True) for name, listed in _GROUPS.items()),
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version  # noqa: PLC0415 - 40 ms, for this option alone

        typer.echo(f"slipgate {version('slipgate')}")
        raise typer.Exit


def slipgate(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="print the version"),
    ] = False,
) -> None:
    """Run the coding tasks of a serverless frontend in sandboxes."""


def command_line(typed: str | None) -> typer.Typer:
    """All commands with their help; the typed one can run.

    Importing them all takes 0.5 s, and most imports serve one command only.
    """
    line = typer.Typer(
        name="slipgate",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if typed else None,
    )
    line.callback()(slipgate)
    for listed in COMMANDS:
        _add(line, listed, is_typed=listed.name == typed)
    return line


def _add(line: typer.Typer, listed: Listed, *, is_typed: bool) -> None:
    command = getattr(import_module(listed.module), listed.name) if is_typed else None
    if listed.is_group:
        group = command or typer.Typer(help=listed.help)
        line.add_typer(group, name=listed.name)
        return
    options = {"allow_extra_args": True, "ignore_unknown_options": True}
    line.command(
        listed.name,
        help=None if is_typed else listed.help,
        context_settings=options if listed.is_forwarded else None,
        add_help_option=not listed.is_forwarded,
    )(command or _not_imported)


def _not_imported() -> None:
    """The function of a command that was not typed."""


def _print_in_any_encoding() -> None:
    """Escapes characters that the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(message: str, next_step: str, code: int = FAILED) -> int:
    from gateway.cli.console.terminal import print_failure  # noqa: PLC0415 - 40 ms

    print_failure(CommandFailed(message, next_step))
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    _print_in_any_encoding()
    words = sys.argv[1:] if arguments is None else arguments
    typed = next((word for word in words if not word.startswith("-")), None)
    try:
        command_line(typed)(args=words)
    except CommandFailed as error:
        return _fail(error.message, error.next_step)
    except SettingsError as error:
        return _fail(str(error), "Set these variables and start again.", USAGE)
    except ApiError as error:
        return _fail(error.detail, error.hint or "")
    except sqlite3.DatabaseError as error:
        next_step = "Check that SLIPGATE_DATABASE_URL names a slipgate database, and is writable."
        return _fail(f"The database cannot be used: {error}.", next_step)
    except OSError as error:
        if error.filename is None:
            raise
        next_step = "Check that its folder exists, and that you may write there."
        return _fail(f"{error.filename}: {error.strerror}.", next_step)
    except SystemExit as exit_:  # typer ends a command so, a usage error with 2
        return exit_.code if isinstance(exit_.code, int) else FAILED
    return DONE
